// What an index is over, in the user's words.
#pragma once

#include <string>

#include "engine/context.h"

namespace coppice::engine {

// "CREATE INDEX ON films.film USING btree (year)": index_definition() without a name. The statement
// that made the index, or, when columns it names were renamed since, what PostgreSQL has.
std::string stored_index_definition(EngineContext& context, const catalog::TableInfo& table,
                                    const catalog::IndexInfo& index);

// What PostgreSQL has, always. The columns are called as `table` says.
std::string servers_index_definition(EngineContext& context, const catalog::TableInfo& table,
                                     const catalog::IndexInfo& index);

}  // namespace coppice::engine
