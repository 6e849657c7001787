// Kept results: what `coppice results` shows and removes of coppice.results.
//
// Model    A result is stale when its function was dropped, or replaced by one with other code: no
//          call will find it. Media that only removed results name go with the next `media gc`.
// Errors   kNotFound for a function that has no results; kUsage when nothing says what to remove,
// or
//          an age is none.
#pragma once

#include <optional>
#include <string>

#include "engine/context.h"
#include "engine/engine.h"

namespace coppice::engine {

// One row a function and code: results, bytes, hits, seconds and money they took and saved, last
// use.
void list_results(EngineContext& context, ResultSink& sink);
void prune_results(EngineContext& context, const ResultsToPrune& which, bool dry_run,
                   ResultSink& sink);

}  // namespace coppice::engine
