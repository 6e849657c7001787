// Carrying out one step of a SchemaPlan, or pretending to.
#pragma once

#include "engine/context.h"
#include "engine/result_sink.h"
#include "engine/schema_plan.h"

namespace coppice::engine {

// Errors are told at the step's place in the file.
void run_schema_step(EngineContext& context, const SchemaStep& step, ResultSink& sink);

// The same inside a transaction that will be rolled back: a fill changes the description only.
void rehearse_schema_step(EngineContext& context, const SchemaStep& step, ResultSink& sink);

}  // namespace coppice::engine
