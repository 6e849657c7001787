// RENAME of tables, columns, constraints and views; SET SCHEMA.
#pragma once

#include "engine/context.h"
#include "sql/parse.h"

namespace coppice::engine {

void rename_object(EngineContext& context, sql::Statement& statement, ResultSink& sink);

}  // namespace coppice::engine
