// Doing what is due by a home's schedule, and showing it.
//
// Model    One run at a time, by a lock on a file of the home. What is due is done one task after
//          another; what fails does not keep the others from being done. A private server that had
//          to be started for it is stopped again, unless somebody else uses it by then.
// Errors   Those of opening the home, and kUsage for a task that is not known. What a task throws
//          is in the report.
#pragma once

#include "config/config.h"
#include "recovery/recovery.h"

namespace coppice::recovery {

ScheduleReport run_schedule(const Config& config, const ScheduleRequest& request,
                            Recovery& recovery, ResultSink& sink);

// One row a task: (task, calendar, last, outcome, error, next).
void show_schedule(const Config& config, ResultSink& sink);

}  // namespace coppice::recovery
