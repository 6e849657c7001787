// EXPLAIN of INSERT, UPDATE and DELETE: what PostgreSQL would do for the statement as Coppice
// sends it.
#pragma once

#include "engine/context.h"
#include "engine/engine.h"
#include "sql/parse.h"

namespace coppice::engine {

void explain_write(EngineContext& context, sql::Statement& statement,
                   const SqlParameters& parameters, ResultSink& sink);

}  // namespace coppice::engine
