// Who uses a user's function, and with which version of it columns were computed.
//
// Model    A column uses a function when its expression calls it. The cells of a column may have
// been
//          computed by several versions: each is noted before the first cell is kept. A column is
//          stale while an older version than the current one is noted; recomputing all of its rows
//          ends that.
#pragma once

#include <string>
#include <vector>

#include "engine/context.h"

namespace coppice::engine {

// "column films.film.title", "view films.shown": what calls a function of this name.
std::vector<std::string> users_of_function(EngineContext& context, const sql::QualifiedName& name);

// The current versions of the functions that the plan of these columns calls are noted.
void note_functions_used(EngineContext& context, const catalog::TableInfo& table,
                         const std::vector<const catalog::ColumnInfo*>& columns);

// A new version that computes what the one before it did: what that has computed is not stale.
void carry_over_use(EngineContext& context, const std::string& function_id, std::int64_t version);

struct StaleColumn {
  std::string table;  // "films.film"
  std::string column;
  std::string function;          // id
  std::int64_t computed_by = 0;  // the oldest version that cells are of
  std::int64_t current = 0;
};
std::vector<StaleColumn> stale_columns(EngineContext& context);
// All rows of these columns were computed again, by the versions of now.
void forget_older_versions(EngineContext& context, const catalog::TableInfo& table,
                           const std::vector<const catalog::ColumnInfo*>& columns);

}  // namespace coppice::engine
