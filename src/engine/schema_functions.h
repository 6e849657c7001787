// Functions in a SchemaModel: those of users that Coppice runs, and those of PostgreSQL.
//
// Model    A function is its CREATE OR REPLACE FUNCTION in one form: equal texts mean that there is
//          nothing to do. The text names the source of the code, not the code: apply does not look
//          whether a file has changed. Aggregates are no part of a schema file.
// Threads  As the context.
#pragma once

#include <string>
#include <vector>

#include "engine/context.h"
#include "engine/schema_model.h"
#include "sql/parse.h"

namespace coppice::engine {

// Of a CREATE FUNCTION statement; its errors are those of function_draft.h.
FunctionModel function_model(sql::Statement& statement);
std::vector<FunctionModel> functions_in_catalog(EngineContext& context);

}  // namespace coppice::engine
