// Functions of PostgreSQL itself: LANGUAGE sql and plpgsql, and aggregates.
//
// Model    Statements go to PostgreSQL as the owner, with media types in their schema. Such a
//          function runs with the rights of whoever calls it: in queries those of the reader.
// Errors   kUnsupported for SECURITY DEFINER, and for bodies that call engine functions, which
//          PostgreSQL cannot run; the server's own with the place in the statement.
#pragma once

#include "engine/context.h"
#include "sql/parse.h"

namespace coppice::engine {

// CREATE FUNCTION and CREATE AGGREGATE.
void create_server_function(EngineContext& context, sql::Statement& statement, ResultSink& sink);
// One item of DROP FUNCTION or DROP AGGREGATE.
void drop_server_function(EngineContext& context, sql::Statement& statement, sql::Node* object,
                          ResultSink& sink);
void comment_on_server_function(EngineContext& context, sql::Statement& statement);

}  // namespace coppice::engine
