// Adding and checking columns and constraints of a table, inside a transaction that alters it.
//
// Model    These work on a TableInfo that is being made: they give ids and physical names, run the
//          DDL and write the catalog's rows. The caller publishes.
#pragma once

#include "engine/context.h"
#include "engine/table_draft.h"

namespace coppice::engine {

// Gives the column its id and physical name, makes the physical column (and sequence) and keeps
// its description from `from_version` on. Appends it to `table`.
catalog::ColumnInfo& add_column(EngineContext& context, catalog::TableInfo& table,
                                const ColumnDraft& draft, std::int64_t from_version,
                                std::string_view state);
catalog::ConstraintInfo& add_constraint(EngineContext& context, catalog::TableInfo& table,
                                        const ConstraintDraft& draft);

// What an expression gives its column: its value always, or once, when existing rows get one.
enum class ExpressionUse { kComputed, kDefault, kNewType };
// Checks a column's expression against the table: names, kinds, types, no cycle; sets uses_engine.
// The physical column must exist.
void check_computed_column(EngineContext& context, const catalog::TableInfo& table,
                           catalog::ColumnInfo& column, const sql::SourceText& source,
                           std::ptrdiff_t location, ExpressionUse use = ExpressionUse::kComputed);

// The sequence of a serial or identity column, and the column's use of it.
void make_sequence(EngineContext& context, const catalog::TableInfo& table,
                   catalog::ColumnInfo& column, const std::string& options);
void use_sequence(EngineContext& context, const catalog::TableInfo& table,
                  const catalog::ColumnInfo& column);
// Refuses what a default cannot hold: columns, subqueries, engine functions.
void check_default(EngineContext& context, const catalog::ColumnInfo& column);

// Writes a column's row in coppice.columns.
void keep_column(EngineContext& context, const catalog::TableInfo& table,
                 const catalog::ColumnInfo& column, std::int64_t from_version,
                 std::string_view state);

}  // namespace coppice::engine
