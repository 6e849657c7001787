// CREATE INDEX and DROP INDEX: over the current rows of a table.
#pragma once

#include "engine/context.h"
#include "sql/parse.h"

namespace coppice::engine {

void create_index(EngineContext& context, sql::Statement& statement, ResultSink& sink);
void drop_indexes(EngineContext& context, sql::Statement& statement, ResultSink& sink);

}  // namespace coppice::engine
