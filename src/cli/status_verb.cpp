// `status`: what a home holds, and whether its backups are as they should be.
#include <fmt/core.h>

#include "base/error.h"
#include "base/text.h"
#include "cli/json_text.h"
#include "cli/verb_functions.h"
#include "recovery/recovery.h"

namespace coppice::cli {
namespace {

std::string stale_json(const StatusReport& report) {
  std::string json = "[";
  for (const auto& [function, why] : report.stale_functions) {
    if (json.size() > 1) json += ", ";
    append_json_string(json, function);
  }
  return json + "]";
}

std::string json_or_null(const std::optional<std::string>& text) {
  std::string json;
  if (text) append_json_string(json, *text);
  return text ? json : "null";
}
std::string json_or_null(const std::optional<double>& seconds) {
  return seconds ? fmt::format("{:.0f}", *seconds) : "null";
}
std::string json_or_null(const std::optional<bool>& value) {
  return value ? (*value ? "true" : "false") : "null";
}

std::string status_json(const StatusReport& report) {
  return JsonObject()
      .add("home", report.home)
      .add("database_url", report.database_url)
      .add("version", report.version)
      .add("server_version", report.server_version)
      .add("private_server", report.private_server)
      .add("tables", report.tables)
      .add("rows", report.rows)
      .add("media_objects", report.media_objects)
      .add("media_bytes", report.media_bytes)
      .add("database_bytes", report.database_bytes)
      .add("running_operations", report.running_operations)
      .add("interrupted_operations", report.interrupted_operations)
      .add_json("stale_functions", stale_json(report))
      .add_json("spent", report.spent)
      .add_json("spent_today", report.spent_today)
      .add("currency", report.currency)
      .add_json("budget_total", report.budget_total.empty() ? "null" : report.budget_total)
      .add_json("budget_per_day", report.budget_per_day.empty() ? "null" : report.budget_per_day)
      .add_json("backup_id", json_or_null(report.backups.backup_id))
      .add_json("backup_at", json_or_null(report.backups.backup_at))
      .add_json("backup_age_s", json_or_null(report.backups.backup_age_s))
      .add_json("loss_window_s", json_or_null(report.backups.loss_window_s))
      .add_json("drill_at", json_or_null(report.backups.drill_at))
      .add_json("drill_passed", json_or_null(report.backups.drill_passed))
      .add_json("drill_age_s", json_or_null(report.backups.drill_age_s))
      .add_json("objectives_missed", json_strings(report.backups.missed))
      .add("failing_tasks", report.backups.failing_tasks)
      .text();
}

std::string spent_text(const StatusReport& report) {
  const auto of = [](const std::string& budget) {
    return budget.empty() ? std::string() : " of " + budget;
  };
  return fmt::format("{}{} {}, {}{} today", report.spent, of(report.budget_total), report.currency,
                     report.spent_today, of(report.budget_per_day));
}

std::string backup_text(const BackupStatus& status) {
  if (!status.backup_id) return "none was made by this home";
  std::string text = fmt::format("{} of {}, {} ago", short_backup_id(*status.backup_id),
                                 *status.backup_at, human_seconds(*status.backup_age_s));
  if (*status.loss_window_s > 0) return text + "; there were changes since";
  return text + "; nothing has changed since";
}

std::string drill_text(const BackupStatus& status) {
  if (!status.drill_at) return "none";
  std::string text =
      fmt::format("{} at {}", *status.drill_passed ? "passed" : "FAILED", *status.drill_at);
  if (!*status.drill_passed && status.drill_age_s) {
    text += fmt::format("; one passed {} ago", human_seconds(*status.drill_age_s));
  }
  return text;
}

std::string status_text(const StatusReport& report) {
  std::string text;
  const auto line = [&](std::string_view name, const std::string& value) {
    text += fmt::format("{:<12}{}\n", name, value);
  };
  line("home", report.home);
  line("database", report.database_url);
  line("server", fmt::format("PostgreSQL {}{}", report.server_version,
                             report.private_server ? ", private" : ""));
  line("version", report.version);
  line("tables", fmt::format("{} with {} rows, {}", report.tables, report.rows,
                             human_bytes(report.database_bytes)));
  line("media",
       fmt::format("{} objects, {}", report.media_objects, human_bytes(report.media_bytes)));
  line("operations", fmt::format("{} running, {} interrupted{}", report.running_operations,
                                 report.interrupted_operations,
                                 report.interrupted_operations > 0 ? " (coppice jobs)" : ""));
  for (const auto& [function, why] : report.stale_functions) {
    line("stale",
         fmt::format("{}: {} (CREATE OR REPLACE FUNCTION takes the new code)", function, why));
  }
  line("spent", spent_text(report));
  line("backup", backup_text(report.backups));
  line("drill", drill_text(report.backups));
  if (!report.backups.failing_tasks.empty()) {
    line("schedule", report.backups.failing_tasks + " (coppice schedule show)");
  }
  for (const std::string& missed : report.backups.missed) line("missed", missed);
  text.pop_back();
  return text;
}

std::string csv_text(const std::optional<double>& seconds) {
  return seconds ? fmt::format("{:.0f}", *seconds) : "";
}

void print_status(Session& session, const StatusReport& report) {
  if (session.format() != RowFormat::kCsv) {
    session.say(status_text(report), status_json(report));
    return;
  }
  PrintingSink sink = session.sink();
  const std::pair<ResultColumn, std::string> fields[] = {
      {{"home", "text"}, report.home},
      {{"database_url", "text"}, report.database_url},
      {{"version", "text"}, report.version},
      {{"server_version", "text"}, report.server_version},
      {{"private_server", "boolean"}, report.private_server ? "t" : "f"},
      {{"tables", "bigint"}, std::to_string(report.tables)},
      {{"rows", "bigint"}, std::to_string(report.rows)},
      {{"media_objects", "bigint"}, std::to_string(report.media_objects)},
      {{"media_bytes", "bigint"}, std::to_string(report.media_bytes)},
      {{"database_bytes", "bigint"}, std::to_string(report.database_bytes)},
      {{"running_operations", "bigint"}, std::to_string(report.running_operations)},
      {{"interrupted_operations", "bigint"}, std::to_string(report.interrupted_operations)},
      {{"stale_functions", "jsonb"}, stale_json(report)},
      {{"spent", "numeric"}, report.spent},
      {{"spent_today", "numeric"}, report.spent_today},
      {{"currency", "text"}, report.currency},
      {{"budget_total", "numeric"}, report.budget_total},
      {{"budget_per_day", "numeric"}, report.budget_per_day},
      {{"backup_id", "text"}, report.backups.backup_id.value_or("")},
      {{"backup_at", "timestamp with time zone"}, report.backups.backup_at.value_or("")},
      {{"backup_age_s", "bigint"}, csv_text(report.backups.backup_age_s)},
      {{"loss_window_s", "bigint"}, csv_text(report.backups.loss_window_s)},
      {{"drill_at", "timestamp with time zone"}, report.backups.drill_at.value_or("")},
      {{"drill_passed", "boolean"},
       report.backups.drill_passed ? (*report.backups.drill_passed ? "t" : "f") : ""},
      {{"drill_age_s", "bigint"}, csv_text(report.backups.drill_age_s)},
      {{"objectives_missed", "jsonb"}, json_strings(report.backups.missed)},
      {{"failing_tasks", "text"}, report.backups.failing_tasks}};
  std::vector<ResultColumn> columns;
  std::vector<std::optional<std::string_view>> values;
  for (const auto& [column, value] : fields) {
    columns.push_back(column);
    values.emplace_back(value);
  }
  sink.begin_rows(columns);
  sink.row(values);
  sink.end_rows();
}

}  // namespace

int run_status(Session& session) {
  const StatusReport report = session.engine().status();
  print_status(session, report);
  if (report.backups.missed.empty()) return 0;
  session.console().out().flush();  // before what is wrong with it
  throw Error(ErrorCode::kComputation,
              "objectives are missed: " + join(report.backups.missed, "; "),
              "see: coppice schedule show; make a backup: coppice backup create");
}

}  // namespace coppice::cli
