// Queries that call engine functions.
#pragma once

#include "engine/context.h"
#include "engine/result_sink.h"
#include "sql/parse.h"

namespace coppice::engine {

// True when the statement reads a plain view whose query calls engine functions.
bool reads_engine_view(EngineContext& context, sql::Statement& statement);

std::uint64_t run_engine_query(EngineContext& context, sql::Statement& statement,
                               const std::vector<pg::Parameter>& values, ResultSink& sink);

void explain_engine_query(EngineContext& context, sql::Statement& statement,
                          const std::vector<pg::Parameter>& values, ResultSink& sink);

// Puts the rows of a query into columns (of these types) of a table of the owner's.
void load_engine_query(EngineContext& context, const std::string& into,
                       const std::vector<std::string>& columns,
                       const std::vector<std::string>& types, sql::Statement& query,
                       const std::vector<pg::Parameter>& values);

}  // namespace coppice::engine
