#include "recovery/task_log.h"

#include "base/text.h"

namespace coppice::recovery {
namespace {

// More runs than fail in a row before their pauses are the longest.
constexpr const char* kRuns =
    "SELECT floor(extract(epoch FROM began_at))::bigint, floor(extract(epoch FROM "
    "ended_at))::bigint, "
    "outcome, coalesce(error, ''), began_at FROM coppice.scheduled_runs WHERE task = $1 "
    "ORDER BY run_id DESC LIMIT 50";

schedule::Attempt::Outcome outcome_in(std::string_view word) {
  using Outcome = schedule::Attempt::Outcome;
  if (word == "done" || word == "partly") return Outcome::kDone;
  return word == "failed" ? Outcome::kFailed : Outcome::kInterrupted;
}

}  // namespace

void TaskLog::settle() {
  connection_.exec(
      "UPDATE coppice.scheduled_runs SET outcome = 'interrupted' WHERE outcome = 'running'");
}

void TaskLog::drop_others(const std::vector<std::string>& scheduled) {
  connection_.exec_params("DELETE FROM coppice.scheduled_tasks WHERE task <> ALL ($1::text[])",
                          {"{" + join(scheduled, ",") + "}"});
}

std::int64_t TaskLog::since_s(const std::string& task, const std::string& calendar,
                              std::int64_t now_s) {
  if (const auto known = known_since_s(task, calendar)) return *known;
  connection_.exec_params(
      "INSERT INTO coppice.scheduled_tasks VALUES ($1, $2, to_timestamp($3::bigint)) "
      "ON CONFLICT (task) DO UPDATE SET calendar = excluded.calendar, since = excluded.since",
      {task, calendar, std::to_string(now_s)});
  return now_s;
}

std::optional<std::int64_t> TaskLog::known_since_s(const std::string& task,
                                                   const std::string& calendar) {
  const pg::Result row = connection_.exec_params(
      "SELECT floor(extract(epoch FROM since))::bigint FROM coppice.scheduled_tasks "
      "WHERE task = $1 AND calendar = $2",
      {task, calendar});
  return row.rows() == 0 ? std::nullopt : std::optional(row.integer(0, 0));
}

std::vector<LoggedRun> TaskLog::runs(const std::string& task) {
  const pg::Result rows = connection_.exec_params(kRuns, {task});
  std::vector<LoggedRun> runs;
  for (int row = 0; row < rows.rows(); ++row) {
    LoggedRun run;
    run.attempt.began_s = rows.integer(row, 0);
    if (!rows.is_null(row, 1)) run.attempt.ended_s = rows.integer(row, 1);
    run.outcome = rows.text(row, 2);
    run.attempt.outcome = outcome_in(run.outcome);
    run.error = rows.text(row, 3);
    run.began_at = rows.text(row, 4);
    runs.push_back(std::move(run));
  }
  return runs;
}

std::string TaskLog::begin(const std::string& task, std::int64_t now_s) {
  // Each task keeps its last run, however long ago that was.
  connection_.exec_params(
      "DELETE FROM coppice.scheduled_runs r WHERE r.task = $1 "
      "AND r.began_at < to_timestamp($2::bigint) - interval '400 days' "
      "AND r.run_id < (SELECT max(l.run_id) FROM coppice.scheduled_runs l WHERE l.task = $1)",
      {task, std::to_string(now_s)});
  const pg::Result row = connection_.exec_params(
      "INSERT INTO coppice.scheduled_runs (task, began_at) VALUES ($1, to_timestamp($2::bigint)) "
      "RETURNING run_id",
      {task, std::to_string(now_s)});
  return std::string(row.text(0, 0));
}

void TaskLog::end(const std::string& run, const std::string& outcome, const std::string& error,
                  std::optional<std::uint32_t> part, std::int64_t now_s) {
  connection_.exec_params(
      "UPDATE coppice.scheduled_runs SET outcome = $2, error = nullif($3, ''), part = $4::integer, "
      "ended_at = to_timestamp($5::bigint) WHERE run_id = $1::bigint",
      {run, outcome, error, part ? pg::Parameter(std::to_string(*part)) : std::nullopt,
       std::to_string(now_s)});
}

std::uint32_t TaskLog::next_part(std::uint32_t parts) {
  const pg::Result row = connection_.exec(
      "SELECT part FROM coppice.scheduled_runs WHERE task = 'verify' AND part IS NOT NULL "
      "ORDER BY run_id DESC LIMIT 1");
  if (row.rows() == 0) return 0;
  return static_cast<std::uint32_t>(row.integer(0, 0) + 1) % parts;
}

}  // namespace coppice::recovery
