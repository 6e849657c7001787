// Named table: the table that a verb was given by name, and how its rows are told apart in reports.
//
// Errors   kUsage for a text that is no name, kNotFound with the nearest name, kRefused for a view:
//          it has no versions of its own.
#pragma once

#include <string>
#include <vector>

#include "engine/context.h"

namespace coppice::engine {

// As it is described now: what other processes changed meanwhile is seen.
catalog::TablePointer table_named(EngineContext& context, const std::string& name);

// SQL for "id = 3, lang = de": the primary key of a row of the store called `alias`, by the columns
// that its version has; "_row = 17" where they hold no key.
std::string row_key_sql(const catalog::TableInfo& table,
                        const std::vector<catalog::ColumnInfo>& columns, const std::string& alias);

}  // namespace coppice::engine
