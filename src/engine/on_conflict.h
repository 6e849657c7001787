// INSERT … ON CONFLICT over staged rows.
#pragma once

#include "engine/stage.h"
#include "sql/parse.h"

namespace coppice::engine {

// Rows whose key is taken are left out (DO NOTHING) or become updates of the rows that have it.
void resolve_conflicts(EngineContext& context, Stage& stage, PgQuery__OnConflictClause& clause,
                       const std::string& alias, sql::Statement& statement,
                       const std::vector<pg::Parameter>& values);

}  // namespace coppice::engine
