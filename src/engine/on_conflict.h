// INSERT … ON CONFLICT over staged rows. Upserts that are not staged: upsert.h.
//
// Model    A row whose key is taken is left out ('x'); for DO UPDATE there is a row 'u' with the
// new
//          version of the one that has the key, and its _source is the row that was left out. When
//          that version is replaced by another writer before it is published, its source takes part
//          again (Stage::drop_stale_rows) and conflicts are resolved once more.
// Errors   kUnsupported for keys over computed columns: keys are looked at before anything is
//          computed.
#pragma once

#include "engine/stage.h"
#include "sql/parse.h"

namespace coppice::engine {

// Rows whose key is taken are left out (DO NOTHING) or become updates of the rows that have it.
void resolve_conflicts(EngineContext& context, Stage& stage, PgQuery__OnConflictClause& clause,
                       const std::string& alias, sql::Statement& statement);

}  // namespace coppice::engine
