// jobs: operations that are under way, were interrupted or went wrong.
//
// Model    A job is an operation, named "tree-op" as in "12-5". Those whose process is gone are
//          marked interrupted first. One that is interrupted or paused goes on where it stopped if
//          it is a fill or its rows are staged; any other is to be run again.
// Errors   kUsage for what is no id, kNotFound for an id nobody has, kRefused for a job that is
//          running or over, kUnsupported for one that kept nothing to go on with, kBusy for one
//          that another process has just taken up.
#pragma once

#include <string>

#include "engine/context.h"
#include "engine/job.h"
#include "engine/result_sink.h"

namespace coppice::engine {

// At most 100, newest first: those that run, were interrupted or paused, met a conflict or failed;
// with `all` of any state.
void list_jobs(EngineContext& context, bool all, ResultSink& sink);
// All there is to tell about one, as one row.
void show_job(EngineContext& context, const std::string& id, ResultSink& sink);

// Takes part in a fill that another process runs.
void work_on_job(EngineContext& context, const std::string& id, ResultSink& sink);
void resume_job(EngineContext& context, const std::string& id, ResultSink& sink);
void discard_job(EngineContext& context, const std::string& id, ResultSink& sink);

// Removes what a waiting job has kept, and ends it in this state.
void give_up_job(EngineContext& context, const Job& job, std::string_view state);

}  // namespace coppice::engine
