#include <fmt/core.h>

#include <charconv>
#include <cmath>

#include "base/duration.h"
#include "base/error.h"
#include "base/files.h"
#include "base/text.h"
#include "cli/json_text.h"
#include "cli/recovery_json.h"
#include "cli/repository_words.h"
#include "cli/verb_functions.h"
#include "config/home.h"

namespace coppice::cli {
namespace {

// "600", in seconds, or "10 minutes".
double read_seconds(const std::string& text) {
  double seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  const bool is_number = error == std::errc() && end == text.data() + text.size();
  if (is_number && seconds > 0 && std::isfinite(seconds)) return seconds;
  if (const auto duration = duration_us(text)) return static_cast<double>(*duration) / 1e6;
  throw Error(ErrorCode::kUsage, fmt::format("\"{}\" is no duration", text),
              "write seconds, 600, or a duration, '10 minutes'");
}

// What the option says, else the setting; nullopt when neither does.
std::optional<double> objective(Session& session, const char* option, const char* setting) {
  if (const auto text = session.arguments().value(option)) return read_seconds(*text);
  const std::string& text = session.config().text(setting);
  return text.empty() ? std::nullopt : std::optional(read_seconds(text));
}

DrillRequest read_request(Session& session) {
  const Invocation& arguments = session.arguments();
  DrillRequest request;
  request.repository = named_repository(session);
  request.backup = arguments.value("--backup");
  request.at = arguments.value("--at");
  request.assertions = arguments.value("--assertions");
  request.scratch = arguments.value("--scratch");
  request.rto_seconds = objective(session, "--rto", "objectives.rto");
  request.rpo_seconds = objective(session, "--rpo", "objectives.rpo");
  if (request.backup && request.at) {
    throw Error(ErrorCode::kUsage, "--backup and --at both say which backup",
                "leave out one of them");
  }
  const Config& config = session.config();
  if (home_format(config.home())) {
    request.home =
        ConfigRequest{config.home(), arguments.value("--database"), session.environment()};
  }
  return request;
}

// FILE.json and FILE.html, or the one of them that the name says.
void write_report(const std::string& file, const std::string& json, const std::string& html) {
  if (json.empty()) return;  // it could not be kept, which was told
  const bool only_json = file.ends_with(".json");
  const bool only_html = file.ends_with(".html");
  if (!only_html) write_file_atomically(only_json ? file : file + ".json", json, 0644);
  if (!only_json) write_file_atomically(only_html ? file : file + ".html", html, 0644);
}

std::string drill_text(const DrillReport& report) {
  const RestoreTimes& times = report.restore.times;
  const std::string head = fmt::format(
      "drill of backup {} of {}: ", short_backup_id(report.restore.backup), report.restore.moment);
  if (report.failure) return head + "it could not be restored";
  return head + fmt::format(
                    "root {}; recovered in {:.1f} s (first query after {:.1f} s); loss "
                    "window {:.1f} s; {} assertions; report {}",
                    report.restore.equal ? "equal" : "DIFFERS", times.total, times.first_query,
                    report.rpo_seconds, report.assertions.size(), short_backup_id(report.id));
}

}  // namespace

int run_drill(Session& session) {
  const DrillRequest request = read_request(session);
  ConfigRequest config;
  config.environment = session.environment();
  PrintingSink sink = session.sink();
  const DrillReport report = session.factory().recovery()->drill(config, request, sink);
  if (const auto file = session.arguments().value("--report")) {
    write_report(*file, report.json, report.html);
  }
  session.say(drill_text(report), report_json(report));
  if (report.passed()) return 0;
  const ErrorCode code = report.code();
  throw Error(code, "the drill did not pass: " + join(report.failures(), "; "),
              code == ErrorCode::kIntegrity
                  ? "look at the repository: coppice backup verify --data --rows"
              : report.failure ? report.failure->hint()
                               : std::string());
}

int run_drill_list(Session& session) {
  PrintingSink sink = session.sink();
  session.factory().recovery()->list_drills(named_repository(session), sink);
  return 0;
}

int run_drill_show(Session& session) {
  PrintingSink sink = session.sink();
  const KeptDrill drill = session.factory().recovery()->show_drill(
      named_repository(session), session.arguments().argument("DRILL"), sink);
  if (const auto file = session.arguments().value("--report")) {
    write_report(*file, drill.json, drill.html);
  } else {
    session.console().out().write(drill.json);
  }
  return 0;
}

int run_drill_verify(Session& session) {
  const Invocation& arguments = session.arguments();
  const std::string& file = arguments.argument("REPORT");
  DrillCheck check;
  check.public_key = arguments.value("--public-key");
  const bool has_repository =
      arguments.has("--repo") || !session.config().text("backup.repository").empty();
  if (check.public_key && arguments.has("--repo")) {
    throw Error(ErrorCode::kUsage, "--repo and --public-key both say which key is trusted",
                "leave out one of them");
  }
  if (!check.public_key && !has_repository) {
    throw Error(ErrorCode::kUsage, "nothing says which key is trusted",
                "give --repo, or --public-key as `coppice drill key` prints it; the key in the "
                "report proves nothing");
  }
  if (!check.public_key) check.repository = named_repository(session);
  check.file = read_file(file);
  PrintingSink sink = session.sink();
  try {
    const CheckedDrill drill = session.factory().recovery()->check_drill(check, sink);
    session.say(fmt::format("{} is as it was signed: the drill of {}, of backup {}, {}{}", file,
                            drill.began_at, short_backup_id(drill.backup),
                            drill.passed ? "passed" : "DID NOT PASS",
                            drill.encrypted ? ""
                                            : "; its repository is not encrypted: whoever could "
                                              "read it could sign"),
                JsonObject()
                    .add("verified", true)
                    .add("began_at", drill.began_at)
                    .add("backup", drill.backup)
                    .add("repository", drill.repository)
                    .add("passed", drill.passed)
                    .add("encrypted", drill.encrypted)
                    .text());
    return 0;
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kIntegrity) throw;
    throw Error(error.code(), file + ": " + error.message(), error.hint());
  }
}

int run_drill_key(Session& session) {
  PrintingSink sink = session.sink();
  const std::vector<std::string> keys =
      session.factory().recovery()->drill_keys(named_repository(session), sink);
  if (keys.empty()) {
    throw Error(ErrorCode::kNotFound, "the repository has no key for reports yet",
                "the first drill makes it: coppice drill");
  }
  for (const std::string& key : keys) {
    const bool is_json = session.format() == RowFormat::kJson;
    session.console().out().write((is_json ? JsonObject().add("public_key", key).text() : key) +
                                  "\n");
  }
  return 0;
}

}  // namespace coppice::cli
