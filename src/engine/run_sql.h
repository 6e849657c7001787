// Running SQL: a script's statements one after another, each its own operation.
#pragma once

#include "engine/context.h"
#include "engine/engine.h"

namespace coppice::engine {

void run_script(EngineContext& context, std::string_view script, const SqlParameters& parameters,
                ResultSink& sink);

}  // namespace coppice::engine
