#include <fmt/core.h>

#include "base/crash_point.h"
#include "base/text.h"
#include "cli/documents.h"
#include "cli/json_text.h"
#include "cli/verb_functions.h"
#include "config/home.h"
#include "config/settings.h"
#include "config/version.h"

namespace coppice::cli {
namespace {

using Cells = std::vector<std::optional<std::string_view>>;

// The options that later commands need to find the same home again.
std::string home_option(const Session& session, const Config& config) {
  const bool given = session.arguments().has("--home");
  return given ? " --home " + shell_quoted(config.home().string()) : std::string();
}

// The settings file belongs to a home from the start. One that was there before is not touched, and
// may name another database than the one just used.
void keep_settings(Session& session, const Config& config) {
  const SettingValue& url = config.value("database.url");
  const bool given = url.source == SettingSource::kOption;
  write_config_template(config.home(), given ? url.text : std::string());
  if (!given) return;
  const Config kept = Config::load({config.home(), std::nullopt, {}});
  if (kept.text("database.url") == url.text) return;
  session.console().notice(
      fmt::format("{} was there before and was left alone; later commands use this database only "
                  "if it says url = … under [database], or with --database",
                  config.file().string()));
}

std::string_view level_name(Finding::Level level) {
  switch (level) {
    case Finding::Level::kOk:
      return "ok";
    case Finding::Level::kWarning:
      return "warning";
    case Finding::Level::kError:
      return "error";
  }
  return {};
}

int print_settings(Session& session) {
  const Config& config = session.config();
  PrintingSink sink = session.sink();
  const ResultColumn columns[] = {
      {"setting", "text"}, {"value", "text"}, {"source", "text"}, {"meaning", "text"}};
  sink.begin_rows(columns);
  sink.row(Cells{"home", config.home().native(), config.home_origin(),
                 "The home that these settings belong to."});
  for (const Setting& setting : settings()) {
    const SettingValue& value = config.value(setting.key);
    const std::string shown = masked(setting, value.text);
    const auto cell = shown.empty() ? std::nullopt : std::optional<std::string_view>(shown);
    sink.row(Cells{setting.key, cell, value.origin, setting.doc});
  }
  sink.end_rows();
  return 0;
}

// Prints texts as they are, or as rows of one column with --json and --csv.
void print_generated(Session& session, const std::string& text) {
  session.console().out().write(text);
}

}  // namespace

int run_init(Session& session) {
  const Config& config = session.config();
  PrintingSink sink = session.sink(RowFormat::kTable, false);
  session.factory().init(config, sink);
  keep_settings(session, config);
  const std::string option = home_option(session, config);
  const std::string next[] = {
      fmt::format("coppice status{}", option),
      fmt::format("coppice sql{} \"CREATE TABLE photo (name text, picture image)\"", option),
      fmt::format("coppice shell{}", option)};
  std::string text = fmt::format("The home is {}. Next:", config.home().string());
  std::string commands;
  for (const std::string& command : next) {
    text += "\n  " + command;
    commands += commands.empty() ? "[" : ",";
    append_json_string(commands, command);
  }
  session.say(
      text,
      JsonObject().add("home", config.home().string()).add_json("next", commands + "]").text());
  return 0;
}

int run_doctor(Session& session) {
  if (session.arguments().has("--config")) return print_settings(session);
  const std::vector<Finding> findings = session.engine().doctor();
  PrintingSink sink = session.sink();
  const ResultColumn columns[] = {
      {"level", "text"}, {"check", "text"}, {"found", "text"}, {"fix", "text"}};
  bool failed = false;
  sink.begin_rows(columns);
  for (const Finding& finding : findings) {
    failed = failed || finding.level == Finding::Level::kError;
    const auto fix = finding.fix.empty() && session.format() == RowFormat::kJson
                         ? std::nullopt
                         : std::optional<std::string_view>(finding.fix);
    sink.row(Cells{level_name(finding.level), finding.check, finding.detail, fix});
  }
  sink.end_rows();
  return failed ? 1 : 0;
}

int run_stop(Session& session) {
  const bool stopped = session.factory().stop_server(session.config());
  session.say(stopped ? "The database server is stopped; the next command starts it again."
                      : "No database server of this home was running.",
              JsonObject().add("stopped", stopped).text());
  return 0;
}

int run_version(Session& session) {
  session.console().out().write(session.format() == RowFormat::kJson
                                    ? JsonObject().add("version", program_version()).text() + "\n"
                                    : fmt::format("coppice {}\n", program_version()));
  return 0;
}

int run_help(Session& session) {
  session.console().out().write(help_text(join(session.arguments().all("COMMAND"), " ")));
  return 0;
}

int run_debug_crash_points(Session& session) {
  PrintingSink sink = session.sink();
  const ResultColumn columns[] = {{"name", "text"}, {"meaning", "text"}};
  sink.begin_rows(columns);
  for (const CrashPointInfo& point : crash_points()) sink.row(Cells{point.name, point.meaning});
  sink.end_rows();
  return 0;
}

int run_debug_man(Session& session) {
  print_generated(session, man_page());
  return 0;
}

int run_debug_completion(Session& session) {
  print_generated(session, completion_script(session.arguments().argument("SHELL")));
  return 0;
}

namespace {

// Puts the names that ls lists together as SQL writes them.
class NameSink final : public ResultSink {
 public:
  explicit NameSink(Output& output) : output_(output) {}

  void begin_rows(std::span<const ResultColumn> columns) override {
    for (std::size_t i = 0; i < columns.size(); ++i) {
      if (columns[i].name == "schema") schema_ = i;
      if (columns[i].name == "name" || columns[i].name == "table") name_ = i;
    }
  }
  void row(Row values) override {
    const std::string_view schema = schema_ && values[*schema_] ? *values[*schema_] : "";
    if (!schema.empty() && schema != "public") output_.buffer() += std::string(schema) + ".";
    output_.buffer() += values[name_].value_or("");
    output_.buffer() += '\n';
  }
  void end_rows() override {}
  void done(std::string_view, std::optional<std::int64_t>) override {}
  void notice(std::string_view) override {}
  void progress(const Progress&) override {}

 private:
  Output& output_;
  std::optional<std::size_t> schema_;
  std::size_t name_ = 0;
};

}  // namespace

int run_debug_table_names(Session& session) {
  NameSink sink(session.console().out());
  session.engine().ls(std::nullopt, sink);
  return 0;
}

}  // namespace coppice::cli
