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

#include <cstdint>
#include <optional>
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

// The trigger computes every column of a new row. Rows that come with one of these as `_to` become
// current like any other, but are computed otherwise. Asking for a setting costs as much as a cheap
// expression: new rows never do.
enum class RowMark : std::int64_t {
  kCopied = -1,  // computed: what the setting coppice.compute lists (",c7,c9,")
  kGiven = -2,   // computed: nothing
};
// What such a row's `_to` is in an INSERT; that of any current row when there is no trigger.
std::int64_t marked_to(const TableInfo& table, RowMark mark);
// Raised when the trigger's text changes: homes get theirs anew when they are next opened.
inline constexpr int kComputeTriggerForm = 2;

enum class ComputeForm {
  kFast,
  kTraced,  // with coppice.trace on, errors are CP003 and name row and column; for new rows too
};
// CREATE OR REPLACE of the trigger's function; nullopt when nothing is computed by SQL.
std::optional<std::string> compute_function(const TableInfo& table,
                                            ComputeForm form = ComputeForm::kFast);
// The function and the trigger, or what removes both.
std::vector<std::string> compute_trigger(const TableInfo& table);

// The view over version `version` with the columns it had then; its name is as_of_view_name().
std::string as_of_view_name(const TableInfo& table, std::int64_t version);
std::string as_of_view(const TableInfo& table, const VersionInfo& version,
                       const std::vector<ColumnInfo>& columns);

}  // namespace coppice::catalog
