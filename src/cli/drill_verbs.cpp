#include <fmt/core.h>

#include <charconv>
#include <cmath>

#include "base/duration.h"
#include "base/error.h"
#include "base/text.h"
#include "cli/recovery_json.h"
#include "cli/repository_words.h"
#include "cli/verb_functions.h"

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

}  // namespace

int run_drill(Session& session) {
  const Invocation& arguments = session.arguments();
  DrillRequest request;
  request.repository = named_repository(session);
  request.backup = arguments.value("--backup");
  request.at = arguments.value("--at");
  request.assertions = arguments.value("--assertions");
  request.scratch = arguments.value("--scratch");
  request.rto_seconds = objective(session, "--rto", "objectives.rto");
  request.rpo_seconds = objective(session, "--rpo", "objectives.rpo");
  ConfigRequest config;
  config.environment = session.environment();
  PrintingSink sink = session.sink();
  const DrillReport report = session.factory().recovery()->drill(config, request, sink);
  const RestoreTimes& times = report.restore.times;
  session.say(fmt::format("drill of backup {} of {}: root {}; recovered in {:.1f} s (first query "
                          "after {:.1f} s); loss window {:.1f} s; {} assertions",
                          short_backup_id(report.restore.backup), report.restore.moment,
                          report.restore.equal ? "equal" : "DIFFERS", times.total,
                          times.first_query, report.rpo_seconds, report.assertions.size()),
              report_json(report));
  if (!report.restore.equal) {
    throw Error(ErrorCode::kIntegrity,
                "what the drill restored differs from what was backed up: " +
                    join(report.restore.differences, ", "),
                "look at the repository: coppice backup verify --data --rows");
  }
  std::vector<std::string> failures = report.missed;
  for (const DrillReport::Assertion& assertion : report.assertions) {
    if (!assertion.holds) failures.push_back(assertion.sql + ": " + assertion.what);
  }
  if (failures.empty()) return 0;
  throw Error(ErrorCode::kComputation, "the drill did not pass: " + join(failures, "; "));
}

}  // namespace coppice::cli
