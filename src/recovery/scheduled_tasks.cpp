#include "recovery/scheduled_tasks.h"

#include <fmt/core.h>

#include <filesystem>

#include "base/duration.h"
#include "base/text.h"
#include "engine/quiet_sinks.h"
#include "schedule/task_names.h"

namespace coppice::recovery {
namespace {

std::uint32_t count(const Config& config, const char* key) {
  return static_cast<std::uint32_t>(config.integer(key));
}

std::optional<double> seconds_in(const Config& config, const char* key) {
  const auto duration = duration_us(config.text(key));
  return duration ? std::optional(static_cast<double>(*duration) / 1e6) : std::nullopt;
}

TaskOutcome back_up(const TaskSubject& subject, Recovery& recovery, ResultSink& sink) {
  BackupRequest request;
  request.repository = subject.repository;
  request.tags = {"schedule"};
  const BackupReport report = recovery.create(subject.config, request, sink);
  TaskOutcome outcome;
  outcome.what =
      fmt::format("backup {}, {} bytes written", short_backup_id(report.id), report.bytes_written);
  if (report.damaged.empty()) return outcome;
  outcome.error =
      fmt::format("the backup {} lacks {} media objects that could not be read: {}",
                  short_backup_id(report.id), report.damaged.size(), join(report.damaged, "; "));
  outcome.code = ErrorCode::kPartlyDone;
  return outcome;
}

TaskOutcome forget(const TaskSubject& subject, Recovery& recovery, ResultSink& sink) {
  ForgetRequest request;
  request.repository = subject.repository;
  request.keep = keep_rules(subject.config);
  if (!request.keep.any()) {
    throw Error(ErrorCode::kUsage, "schedule.forget is set, and no setting says which backups stay",
                "set backup.keep_daily = 7, backup.keep_monthly = 12, … in config.toml");
  }
  if (!subject.home_id) return {"no backup of this home was made yet", {}};
  request.home_id = subject.home_id;
  recovery.forget(request, sink);
  return {"what the rules do not keep is forgotten", {}};
}

TaskOutcome prune(const TaskSubject& subject, Recovery& recovery, ResultSink& sink) {
  CollectRequest request;
  request.repository = subject.repository;
  const CollectReport report = recovery.prune(request, sink);
  return {fmt::format("{} bytes are to go, {} bytes were removed", report.marked_bytes,
                      report.removed_bytes),
          {}};
}

TaskOutcome verify(const TaskSubject& subject, Recovery& recovery, ResultSink& sink) {
  VerifyRequest request;
  request.repository = subject.repository;
  request.data = true;
  request.part = subject.verify_part;
  request.part_count = count(subject.config, "schedule.verify_parts");
  const VerifyReport report = recovery.verify(request, sink);
  TaskOutcome outcome;
  outcome.what = fmt::format("part {} of {}: {} bytes read", request.part + 1, request.part_count,
                             report.bytes_read);
  if (report.findings.empty()) return outcome;
  std::vector<std::string> found;
  for (const VerifyReport::Finding& finding : report.findings) {
    found.push_back(finding.object + ": " + finding.what);
  }
  outcome.error = fmt::format("{} of {} backups are not whole: {}", report.affected.size(),
                              report.backups, join(found, "; "));
  outcome.code = ErrorCode::kIntegrity;
  outcome.is_done = false;
  return outcome;
}

TaskOutcome drill(const TaskSubject& subject, Recovery& recovery, ResultSink& sink) {
  const Config& config = subject.config;
  DrillRequest request;
  request.repository = subject.repository;
  if (const std::string& file = config.text("schedule.drill_assertions"); !file.empty()) {
    request.assertions = (config.home() / file).string();
  }
  if (const std::string& folder = config.text("schedule.drill_scratch"); !folder.empty()) {
    request.scratch = folder;
  }
  request.rto_seconds = seconds_in(config, "objectives.rto");
  request.rpo_seconds = seconds_in(config, "objectives.rpo");
  ConfigRequest living;
  living.home = config.home();
  living.environment = process_environment();
  if (config.value("database.url").source == SettingSource::kOption) {
    living.database_url = config.text("database.url");
  }
  request.home = living;  // to be told, not to be looked at
  ConfigRequest where;
  where.environment = living.environment;
  const DrillReport report = recovery.drill(where, request, sink);
  TaskOutcome outcome;
  outcome.what = fmt::format("backup {} was restored in {}", short_backup_id(report.restore.backup),
                             human_seconds(report.restore.times.total));
  if (report.passed()) return outcome;
  outcome.error = "the drill did not pass: " + join(report.failures(), "; ");
  outcome.code = report.code();
  outcome.is_done = false;
  return outcome;
}

}  // namespace

std::vector<ScheduledTask> scheduled_tasks(const Config& config) {
  std::vector<ScheduledTask> tasks;
  for (const std::string_view name : schedule::kTaskNames) {
    const std::string& calendar = config.text("schedule." + std::string(name));
    tasks.push_back({std::string(name), calendar, schedule::Calendar::parse(calendar)});
  }
  return tasks;
}

schedule::Zone schedule_zone(const Config& config) {
  return schedule::Zone::named(config.text("schedule.timezone"));
}

KeepRules keep_rules(const Config& config) {
  KeepRules keep;
  keep.last = count(config, "backup.keep_last");
  keep.hourly = count(config, "backup.keep_hourly");
  keep.daily = count(config, "backup.keep_daily");
  keep.weekly = count(config, "backup.keep_weekly");
  keep.monthly = count(config, "backup.keep_monthly");
  keep.yearly = count(config, "backup.keep_yearly");
  if (const std::string& age = config.text("backup.keep_within"); !age.empty()) keep.within = age;
  for (const std::string& tag : split(config.text("backup.keep_tags"), ',')) {
    if (!trim(tag).empty()) keep.tags.emplace_back(trim(tag));
  }
  return keep;
}

TaskOutcome do_task(const std::string& task, const TaskSubject& subject, Recovery& recovery,
                    ResultSink& sink) {
  engine::NoticeSink quiet(sink);
  if (task == "backup") return back_up(subject, recovery, quiet);
  if (task == "forget") return forget(subject, recovery, quiet);
  if (task == "prune") return prune(subject, recovery, quiet);
  if (task == "verify") return verify(subject, recovery, quiet);
  COPPICE_ASSERT(task == "drill");
  return drill(subject, recovery, quiet);
}

}  // namespace coppice::recovery
