// The list of engine functions: those of users with what is stale about them, and the built-in
// ones.
#pragma once

#include "engine/context.h"

namespace coppice::engine {

void list_functions(EngineContext& context, ResultSink& sink);

}  // namespace coppice::engine
