// Reading: SELECT, VALUES, EXPLAIN and SHOW.
//
// Model    A query without engine functions goes to PostgreSQL as the user wrote it, read-only, as
//          the restricted role, with only "table:version" replaced. With them, exec runs it.
#pragma once

#include "engine/context.h"
#include "engine/engine.h"
#include "sql/parse.h"

namespace coppice::engine {

// Returns the number of rows.
std::uint64_t run_query(EngineContext& context, sql::Statement& statement,
                        const SqlParameters& parameters, ResultSink& sink);

void run_explain(EngineContext& context, sql::Statement& statement, const SqlParameters& parameters,
                 ResultSink& sink);

// The nearest name for an unknown table or function; otherwise the server's own hint.
std::string nearest_hint(EngineContext& context, const pg::ServerError& error);

// A server error about `sent`, told at the place in the user's statement it came from.
Error query_error(EngineContext& context, const pg::ServerError& error, std::string_view sent,
                  const sql::Statement& statement);

}  // namespace coppice::engine
