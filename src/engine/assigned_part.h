// UPDATE … SET a[2] = x: the whole value that the column gets.
//
// Errors   kType for a column that has no such parts, kUnsupported for fields of composite types
// and
//          slices without both bounds; at the place of the assignment.
#pragma once

#include "engine/context.h"
#include "sql/parse.h"

namespace coppice::engine {

// `whole` with the part that `target` names replaced by `value`.
sql::Node* with_part(const catalog::ColumnInfo& column, sql::Node* whole,
                     const PgQuery__ResTarget& target, sql::Node* value, sql::Statement& statement);

}  // namespace coppice::engine
