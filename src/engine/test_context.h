// TestContext: an open home of its own over a real PostgreSQL, for the engine's tests.
//
// Model    A fresh database of pg's TestServer and a scratch folder. Function workers are the built
//          coppice-media. What a verb gives is kept by the Collector that run() and ask() use.
// Threads  One.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "config/config.h"
#include "engine/context.h"
#include "engine/engine.h"
#include "pg/test_server.h"

namespace coppice::engine {

// What a verb gave: rows as "a|b", NULL as "NULL".
struct Collector final : ResultSink {
  void begin_rows(std::span<const ResultColumn> columns) override;
  void row(std::span<const std::optional<std::string_view>> values) override;
  void end_rows() override {}
  void done(std::string_view tag, std::optional<std::int64_t> version) override;
  void notice(std::string_view text) override { notices.emplace_back(text); }
  void progress(const Progress&) override {}

  std::vector<std::string> names;
  std::vector<std::string> rows;
  std::vector<std::string> tags;  // "UPDATE 2 version 3"
  std::vector<std::string> notices;
};

class TestContext {
 public:
  TestContext();
  ~TestContext();

  EngineContext& operator*() { return *context_; }
  EngineContext& context() { return *context_; }
  const std::filesystem::path& folder() const { return folder_; }
  // A second session of the same home: another writer.
  std::unique_ptr<EngineContext> open_another() const;

  // Runs SQL; the last statement's tag.
  std::string run(const std::string& script);
  // The rows that SQL gives.
  std::vector<std::string> ask(const std::string& query);
  // What a verb gives.
  Collector collect(const std::function<void(EngineContext&, ResultSink&)>& verb);

 private:
  std::filesystem::path folder_;
  pg::TestDatabase database_;
  std::unique_ptr<Config> config_;
  std::unique_ptr<EngineContext> context_;
};

// A PNG of one colour, as small as can be.
std::filesystem::path write_png(const std::filesystem::path& folder, const std::string& name,
                                bool wide);

}  // namespace coppice::engine
