// The store's DDL: text that makes a table's physical form from its description.
//
// Model    coppice_store.t<id> holds every version of every row: _row (the row's identity, from a
//          sequence), _from and _to (operation ids) and one column per physical column. Over it:
//          w<id>, a view of the current rows with the user's names that the engine writes through;
//          the user's own view, which refuses writes; and a trigger that evaluates the computed
//          columns that need no engine function.
// Source   docs/formats/catalog.md, docs/decisions/0003
// Threads  Pure functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "catalog/model.h"

namespace coppice::catalog {

// Sequence, table and the indexes every store has; columns and constraints come by the others.
std::vector<std::string> create_store(const TableInfo& table);
std::string add_physical_column(const TableInfo& table, const ColumnInfo& column);
// Named "t12_c3_not_null", so that errors can be told in the user's names.
std::string add_not_null(const TableInfo& table, const ColumnInfo& column);
std::string drop_not_null(const TableInfo& table, const ColumnInfo& column);
std::string add_constraint(const TableInfo& table, const ConstraintInfo& constraint);
std::string drop_constraint(const TableInfo& table, const ConstraintInfo& constraint);

// CREATE OR REPLACE of w<id>; drop it first when columns went away or moved.
std::string working_view(const TableInfo& table);
// The user's view, without OR REPLACE, and its trigger that refuses writes.
std::string user_view(const TableInfo& table, bool replace);
std::string user_view_guard(const TableInfo& table);
// The trigger's function and, once, the trigger; no statement when nothing is computed by SQL.
std::vector<std::string> compute_trigger(const TableInfo& table);

// The view over version `version` with the columns it had then; its name is as_of_view_name().
std::string as_of_view_name(const TableInfo& table, std::int64_t version);
std::string as_of_view(const TableInfo& table, const VersionInfo& version,
                       const std::vector<ColumnInfo>& columns);

}  // namespace coppice::catalog
