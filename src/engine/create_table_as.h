// CREATE TABLE … AS: a table with the columns of a query, and its rows.
#pragma once

#include "engine/context.h"
#include "engine/engine.h"
#include "sql/parse.h"

namespace coppice::engine {

void create_table_as(EngineContext& context, sql::Statement& statement,
                     const SqlParameters& parameters, ResultSink& sink);

}  // namespace coppice::engine
