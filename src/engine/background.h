// Background jobs: statements that run in processes of their own.
//
// Model    A background job is an operation that remembers the words of the command it came from
//          (coppice.operations.background). When its process ends before it does, it is started
//          again: it goes on where it stopped, or, when it has kept nothing, its command is run
//          anew and the old operation says as what. After three starts without getting further it
//          waits for its user. Its output is in HOME/log/jobs/ID.log.
// Threads  As the context.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "engine/context.h"
#include "engine/engine.h"

namespace coppice::engine {

// The first operation that begins or is taken up from now on is the job.
void run_in_background(EngineContext& context, BackgroundCommand command);

// Background jobs whose process has ended; each is counted as started.
std::vector<JobToStart> jobs_to_start(EngineContext& context);

std::filesystem::path job_log_file(const Config& config, const std::string& id);

}  // namespace coppice::engine
