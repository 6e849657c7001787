// Pausing and cancelling jobs, whichever process of the home runs them.
//
// Model    What is asked for is written beside the operation; the process that runs it hears of it
//          within a second (engine/job_watch.h). pause keeps what is done, cancel takes all of it
//          back. A job that waits is paused or given up at once. An operation that is one
//          transaction is cancelled by its server session, and cannot be paused. Who asks before
//          the version is taken is heard; who comes later is told that it is over.
// Errors   kRefused for what is over, or paused already; kUnsupported to pause one transaction.
#pragma once

#include <optional>
#include <string>

#include "engine/context.h"
#include "engine/result_sink.h"

namespace coppice::engine {

void pause_job(EngineContext& context, const std::string& id, ResultSink& sink);
void cancel_job(EngineContext& context, const std::string& id, ResultSink& sink);

// Returns when the job is done; throws what it ended with. kBusy when it still runs after
// `seconds`.
void wait_for_job(EngineContext& context, const std::string& id, std::optional<double> seconds,
                  ResultSink& sink);

}  // namespace coppice::engine
