// CREATE, DROP and COMMENT ON FUNCTION: those that Coppice runs, and those of PostgreSQL.
//
// Model    LANGUAGE python and command make an engine function: its code is copied into the home, a
//          worker looks at it without calling it, and stubs of it are made in PostgreSQL. LANGUAGE
//          sql and plpgsql, and aggregates, are PostgreSQL's own: they are made as the owner and
//          run with the rights of whoever calls them. A name is of one of both kinds.
// Errors   kRefused for a function that columns or views use, kAlreadyExists without OR REPLACE;
//          others of function_draft.h and function_code.h, with the place in the statement.
#pragma once

#include "engine/context.h"
#include "engine/function_draft.h"
#include "sql/parse.h"

namespace coppice::engine {

void create_function(EngineContext& context, sql::Statement& statement, ResultSink& sink);
void drop_functions(EngineContext& context, sql::Statement& statement, ResultSink& sink);
void comment_on_function(EngineContext& context, sql::Statement& statement);

// Refuses schemas that hold functions of users: DROP SCHEMA would leave them behind.
void refuse_schema_with_functions(EngineContext& context, const std::string& schema);

}  // namespace coppice::engine
