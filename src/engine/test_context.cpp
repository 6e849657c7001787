#include "engine/test_context.h"

#include <fmt/core.h>

#include <cstdlib>

#include "base/files.h"
#include "engine/open_home.h"
#include "engine/run_sql.h"

namespace coppice::engine {
namespace {

// Grey images of 1 x 1 and 3 x 1 pixels.
constexpr unsigned char kSquare[] = {
    0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0x00, 0x00, 0x00, 0x0d, 0x49, 0x48,
    0x44, 0x52, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x01, 0x08, 0x00, 0x00, 0x00,
    0x00, 0x3a, 0x7e, 0x9b, 0x55, 0x00, 0x00, 0x00, 0x0a, 0x49, 0x44, 0x41, 0x54, 0x78,
    0x9c, 0x63, 0x68, 0x00, 0x00, 0x00, 0x82, 0x00, 0x81, 0x77, 0xcd, 0x72, 0xb6, 0x00,
    0x00, 0x00, 0x00, 0x49, 0x45, 0x4e, 0x44, 0xae, 0x42, 0x60, 0x82};
constexpr unsigned char kWide[] = {
    0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0x00, 0x00, 0x00, 0x0d, 0x49, 0x48,
    0x44, 0x52, 0x00, 0x00, 0x00, 0x03, 0x00, 0x00, 0x00, 0x01, 0x08, 0x00, 0x00, 0x00,
    0x00, 0x3e, 0x8b, 0x4b, 0x68, 0x00, 0x00, 0x00, 0x0c, 0x49, 0x44, 0x41, 0x54, 0x78,
    0x9c, 0x63, 0x68, 0x68, 0x68, 0x00, 0x00, 0x03, 0x04, 0x01, 0x81, 0x4b, 0xd3, 0xd2,
    0x10, 0x00, 0x00, 0x00, 0x00, 0x49, 0x45, 0x4e, 0x44, 0xae, 0x42, 0x60, 0x82};

Config test_config(const std::filesystem::path& home, const std::string& database_url) {
  ConfigRequest request;
  request.home = home;
  request.database_url = database_url;
  return Config::load(request);
}

}  // namespace

void Collector::begin_rows(std::span<const ResultColumn> columns) {
  names.clear();
  for (const ResultColumn& column : columns) names.push_back(column.name);
}

void Collector::row(std::span<const std::optional<std::string_view>> values) {
  std::string line;
  for (const auto& value : values) {
    if (&value != values.data()) line += '|';
    line += value.value_or("NULL");
  }
  rows.push_back(std::move(line));
}

void Collector::done(std::string_view tag, std::optional<std::int64_t> version) {
  tags.push_back(version ? fmt::format("{} version {}", tag, *version) : std::string(tag));
}

TestContext::TestContext() : folder_(pg::make_reachable_folder()) {
  ::setenv("COPPICE_MEDIA_WORKER", COPPICE_MEDIA, 1);
  config_ = std::make_unique<Config>(test_config(folder_ / "home", database_.conninfo()));
  Collector ignored;
  make_home(*config_, ignored);
  context_ = open_home(*config_);
}

TestContext::~TestContext() {
  context_.reset();
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

std::unique_ptr<EngineContext> TestContext::open_another() const { return open_home(*config_); }

std::string TestContext::run(const std::string& script) {
  const Collector given = collect(
      [&](EngineContext& context, ResultSink& sink) { run_script(context, script, {}, sink); });
  return given.tags.empty() ? "" : given.tags.back();
}

std::vector<std::string> TestContext::ask(const std::string& query) {
  return collect([&](EngineContext& context, ResultSink& sink) {
           run_script(context, query, {}, sink);
         })
      .rows;
}

Collector TestContext::collect(const std::function<void(EngineContext&, ResultSink&)>& verb) {
  Collector collector;
  verb(*context_, collector);
  return collector;
}

std::filesystem::path write_png(const std::filesystem::path& folder, const std::string& name,
                                bool wide) {
  const std::filesystem::path file = folder / name;
  const auto* const bytes = reinterpret_cast<const char*>(wide ? kWide : kSquare);
  write_file_atomically(file, {bytes, wide ? sizeof(kWide) : sizeof(kSquare)}, 0644);
  return file;
}

}  // namespace coppice::engine
