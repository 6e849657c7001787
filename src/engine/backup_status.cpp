#include "engine/backup_status.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/duration.h"
#include "base/text.h"
#include "base/wall_time.h"
#include "config/config.h"
#include "schedule/task_names.h"

namespace coppice::engine {
namespace {

// Those that lie more than an hour ahead are of a clock that was wrong, and do not count.
constexpr const char* kQuery = R"(
WITH moment AS (SELECT to_timestamp($1::float8 / 1e6) AS now),
last_backup AS (SELECT b.* FROM coppice.backups b, moment
  WHERE ended_at < now + interval '1 hour' ORDER BY ended_at DESC LIMIT 1),
past_drills AS (SELECT d.* FROM coppice.drills d, moment WHERE began_at < now + interval '1 hour'),
last_drill AS (SELECT * FROM past_drills ORDER BY began_at DESC LIMIT 1),
passed_drill AS (SELECT * FROM past_drills WHERE passed ORDER BY began_at DESC LIMIT 1)
SELECT b.backup_id, b.moment, extract(epoch FROM now - b.moment),
  (SELECT max(published_at) FROM coppice.trees) > b.moment,
  d.began_at, d.passed, extract(epoch FROM now - p.began_at),
  (SELECT string_agg(r.task || ': ' || r.error, '; ' ORDER BY r.task) FROM (
     SELECT DISTINCT ON (task) task, outcome, coalesce(error, 'it was interrupted') AS error
     FROM coppice.scheduled_runs ORDER BY task, run_id DESC) r
   WHERE r.outcome IN ('partly', 'failed', 'interrupted')),
  EXISTS (SELECT FROM coppice.scheduled_tasks),
  (SELECT string_agg('the backup ' || left(backup_id, 12) || ' is suspect: ' || suspect, E'\n'
     ORDER BY ended_at) FROM coppice.backups WHERE suspect <> '' AND confirmed_at IS NULL)
FROM moment LEFT JOIN last_backup b ON true LEFT JOIN last_drill d ON true
LEFT JOIN passed_drill p ON true)";

double age_in(const std::string& seconds) { return std::max(0.0, std::stod(seconds)); }

bool is_scheduled(const Config& config) {
  return std::any_of(schedule::kTaskNames.begin(), schedule::kTaskNames.end(), [&](auto task) {
    return !config.text("schedule." + std::string(task)).empty();
  });
}

// The setting, and what it says in seconds.
struct Objective {
  const char* key;
  std::string text;
  std::optional<double> seconds;

  Objective(const Config& config, const char* setting) : key(setting), text(config.text(setting)) {
    if (const auto duration = duration_us(text)) seconds = static_cast<double>(*duration) / 1e6;
  }
};

void check(const Objective& objective, const char* what, const std::optional<double>& age_s,
           BackupStatus& status) {
  if (!objective.seconds || (age_s && *age_s <= *objective.seconds)) return;
  status.missed.push_back(
      age_s ? fmt::format("{} is {}: {} {} ago", objective.key, objective.text, what,
                          human_seconds(*age_s))
            : fmt::format("{} is {}: {} never", objective.key, objective.text, what));
}

void check_objectives(const Config& config, BackupStatus& status) {
  check({config, "objectives.backup_every"}, "the last backup was", status.backup_age_s, status);
  const Objective rpo(config, "objectives.rpo");
  if (rpo.seconds && status.loss_window_s.value_or(*rpo.seconds + 1) > *rpo.seconds) {
    status.missed.push_back(
        status.loss_window_s
            ? fmt::format("{} is {}: what was written in the last {} is in no backup", rpo.key,
                          rpo.text, human_seconds(*status.loss_window_s))
            : fmt::format("{} is {}: there is no backup", rpo.key, rpo.text));
  }
  const Objective drill(config, "objectives.drill_every");
  check(drill, "the last drill that passed was", status.drill_age_s, status);
  if (drill.seconds && status.drill_passed == false) {
    status.missed.push_back(fmt::format("the last drill, at {}, did not pass", *status.drill_at));
  }
}

}  // namespace

BackupStatus read_backup_status(EngineContext& context) {
  const pg::Result row = context.main.exec_params(kQuery, {std::to_string(wall_time_us())});
  const auto text = [&](int column) {
    return row.is_null(0, column) ? std::nullopt : std::optional<std::string>(row.text(0, column));
  };
  BackupStatus status;
  status.backup_id = text(0);
  status.backup_at = text(1);
  if (const auto age = text(2)) status.backup_age_s = age_in(*age);
  // What nobody has changed since cannot be lost.
  if (status.backup_id) {
    const bool changed = !row.is_null(0, 3) && row.boolean(0, 3);
    status.loss_window_s = changed ? *status.backup_age_s : 0.0;
  }
  status.drill_at = text(4);
  if (!row.is_null(0, 5)) status.drill_passed = row.boolean(0, 5);
  if (const auto age = text(6)) status.drill_age_s = age_in(*age);
  status.failing_tasks = text(7).value_or("");
  if (is_scheduled(context.config) && !row.boolean(0, 8)) {
    status.failing_tasks = "nothing has called coppice schedule run yet";
  }
  check_objectives(context.config, status);
  if (const auto suspects = text(9)) {
    for (const std::string& suspect : split(*suspects, '\n')) status.missed.push_back(suspect);
  }
  return status;
}

}  // namespace coppice::engine
