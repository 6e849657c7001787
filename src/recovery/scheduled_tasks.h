// The tasks of a schedule as the settings of a home say them, and how each is done.
//
// Errors   kUsage for settings that do not fit together; kNotFound for a time zone that is not
//          there.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "config/config.h"
#include "recovery/recovery.h"
#include "schedule/calendar.h"

namespace coppice::recovery {

struct ScheduledTask {
  std::string name;      // "backup"
  std::string calendar;  // "daily 02:30"; empty: it is not scheduled
  std::optional<schedule::Calendar> when;
};

// All that there are, in the order in which they are done.
std::vector<ScheduledTask> scheduled_tasks(const Config& config);
schedule::Zone schedule_zone(const Config& config);

// backup.keep_…
KeepRules keep_rules(const Config& config);

struct TaskSubject {
  const Config& config;
  RepositoryAddress repository;
  std::uint32_t verify_part = 0;
  std::optional<std::string> home_id;  // none: no backup of this home was ever made
};
struct TaskOutcome {
  std::string what;                          // "backup 3f2a…, 12 bytes written"
  std::string error;                         // empty: all is well
  bool is_done = true;                       // false: to be tried again
  ErrorCode code = ErrorCode::kComputation;  // of the error
};

// Throws what it throws: that, too, is a failure.
TaskOutcome do_task(const std::string& task, const TaskSubject& subject, Recovery& recovery,
                    ResultSink& sink);

}  // namespace coppice::recovery
