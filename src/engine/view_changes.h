// Changes of a table that materialized views are made from, and of the views themselves.
//
// Model    A rename is followed in the views' expressions. What would change cells of the parent
//          without writing its rows, or take away what a view reads, is refused by name.
#pragma once

#include <string>

#include "engine/alter_steps.h"
#include "engine/context.h"

namespace coppice::engine {

// Refuses when a materialized view reads the column; `what` is "drop", "change".
void refuse_change_of_read_column(EngineContext& context, const catalog::TableInfo& table,
                                  std::int64_t column_id, std::string_view what);

// Columns or the table itself have other names now: the views over it say so, too. In the
// transaction that alters it.
void rename_in_views(EngineContext& context, const catalog::TableInfo& before,
                     const catalog::TableInfo& now, std::int64_t version);

// Refuses steps of ALTER TABLE that a materialized view does not take.
void check_view_step(const Altering& altering, const catalog::TableInfo& view,
                     const PgQuery__AlterTableCmd& command);

// Whether an expression of a view reads this column of its parent.
bool view_reads(const catalog::TableInfo& view, const std::string& column);

}  // namespace coppice::engine
