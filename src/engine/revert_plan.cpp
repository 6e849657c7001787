#include "engine/revert_plan.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/text.h"
#include "catalog/expressions.h"
#include "engine/row_changes.h"

namespace coppice::engine {

using catalog::ColumnInfo;
using catalog::TableInfo;

namespace {

// Where a column came from, as far as a version is concerned.
struct Origin {
  std::int64_t birth = 0;  // the first version with its present physical column
  std::string physical;    // what it was in the version; in its first one when it is younger
};

Origin origin_of(EngineContext& context, const TableInfo& table, const ColumnInfo& column,
                 std::int64_t version) {
  const pg::Result row = context.main.exec_cached(
      "WITH mine AS (SELECT * FROM coppice.columns WHERE table_id = $1 AND column_id = $2 "
      "AND state = 'live') "
      "SELECT (SELECT min(from_version) FROM mine WHERE physical = $3), "
      "(SELECT physical FROM mine WHERE from_version <= greatest($4::bigint, "
      "(SELECT min(from_version) FROM mine)) ORDER BY from_version DESC LIMIT 1)",
      {std::to_string(table.table_id), std::to_string(column.id), column.physical,
       std::to_string(version)});
  return {row.integer(0, 0), std::string(row.text(0, 1))};
}

std::string trigger_list(const std::vector<const ColumnInfo*>& columns, bool only_filling) {
  std::string list = ",";
  for (const ColumnInfo* column : columns) {
    if (column->uses_engine || (only_filling && !column->filling)) continue;
    list += column->physical + ",";
  }
  return list == "," ? ",none," : list;
}

}  // namespace

RevertPlan::RevertPlan(EngineContext& context, catalog::TablePointer table,
                       const catalog::VersionInfo& target)
    : table_(std::move(table)), target_(target) {
  for (const ColumnInfo& column : table_->columns) {
    cells_.push_back(make_cell(context, column));
    const Cell& cell = cells_.back();
    if (column.filling) {
      need(column);
      if (column.uses_engine) complete_ = "false";
    } else if (column.computed() && cell.stored != "true") {
      need(column);
      if (complete_ != "false") complete_ += " AND " + cell.stored;
    }
  }
  for (const ColumnInfo& column : context.catalog.columns_at(*table_, target_.version)) {
    if (table_->column_by_id(column.id) == nullptr) dropped_.push_back(column.name);
  }
}

void RevertPlan::need(const ColumnInfo& column) {
  computed_.push_back(&column);
  needs_workers_ = needs_workers_ || column.uses_engine;
}

RevertPlan::Cell RevertPlan::make_cell(EngineContext& context, const ColumnInfo& column) const {
  if (column.filling) return {&column, "false", "NULL"};
  const std::string present = "g." + column.physical;
  const Origin origin = origin_of(context, *table_, column, target_.version);
  if (origin.birth <= target_.version) return {&column, "true", present};
  // Row versions that were current at the column's birth were filled.
  const std::string filled =
      published_after(context.catalog.version_info(*table_, origin.birth), "g._to");
  if (column.computed()) {
    return {&column, filled, fmt::format("CASE WHEN {} THEN {} END", filled, present)};
  }
  if (origin.physical == column.physical) return {&column, "true", present};
  return {&column, "true",
          fmt::format("CASE WHEN {} THEN {} ELSE g.{}::{} END", filled, present, origin.physical,
                      catalog::store_type(column.type))};
}

// Texts are compared: every type has one, and it tells values apart that are merely equal (1.0 and
// 1.00). A cell that is not stored follows from the others.
std::string RevertPlan::same_cells() const {
  std::vector<std::string> terms = {"g._row = c._row"};
  for (const Cell& cell : cells_) {
    if (cell.column->filling) continue;
    const std::string same = fmt::format("({})::text IS NOT DISTINCT FROM c.{}::text", cell.value,
                                         cell.column->physical);
    terms.push_back(cell.stored == "true" ? same
                                          : fmt::format("(NOT {} OR {})", cell.stored, same));
  }
  return join(terms, " AND ");
}

std::string RevertPlan::coming_back() const {
  return fmt::format(
      "FROM (SELECT * FROM {0} WHERE {1}) g WHERE NOT EXISTS "
      "(SELECT FROM (SELECT * FROM {0} WHERE {2}) c WHERE {3})",
      table_->store_table(), gone_since(target_), come_since(target_), same_cells());
}

std::string RevertPlan::columns() const {
  std::string list = "_row, _from";
  for (const Cell& cell : cells_) list += ", " + cell.column->physical;
  return list;
}

std::string RevertPlan::values() const {
  std::string list = "g._row, current_setting('coppice.op')::bigint";
  for (const Cell& cell : cells_) list += ", " + cell.value;
  return list;
}

std::string RevertPlan::count() const {
  return fmt::format(
      "SELECT count(*) FILTER (WHERE c._row IS NULL), "
      "count(*) FILTER (WHERE g._row IS NOT NULL AND c._row IS NOT NULL), "
      "count(*) FILTER (WHERE g._row IS NULL) "
      "FROM (SELECT * FROM {0} WHERE {1}) g FULL JOIN (SELECT * FROM {0} WHERE {2}) c "
      "ON g._row = c._row WHERE ({3}) IS NOT TRUE",
      table_->store_table(), gone_since(target_), come_since(target_), same_cells());
}

std::string RevertPlan::close() const {
  return fmt::format(
      "UPDATE {0} c SET _to = current_setting('coppice.op')::bigint WHERE {2} AND NOT EXISTS "
      "(SELECT FROM (SELECT * FROM {0} WHERE {1}) g WHERE {3})",
      table_->store_table(), gone_since(target_), come_since(target_), same_cells());
}

std::string RevertPlan::insert_complete() const {
  return fmt::format("INSERT INTO {} ({}) SELECT {} {} AND ({})", table_->store_table(), columns(),
                     values(), coming_back(), complete_);
}

std::string RevertPlan::insert_incomplete() const {
  return fmt::format("INSERT INTO {} ({}) SELECT {} {} AND NOT ({})", table_->store_table(),
                     columns(), values(), coming_back(), complete_);
}

std::string RevertPlan::computed_for_complete() const { return trigger_list(computed_, true); }

std::string RevertPlan::computed_for_incomplete() const { return trigger_list(computed_, false); }

std::string RevertPlan::load_stage(const std::string& stage) const {
  std::string names = "_row, _old";
  std::string given = "g._row, g._from";
  for (const Cell& cell : cells_) {
    names += ", " + cell.column->physical;
    given += ", " + cell.value;
  }
  return fmt::format(
      "INSERT INTO {0} ({1}) SELECT {2} {3} AND NOT ({4}) AND NOT EXISTS "
      "(SELECT FROM {0} s WHERE s._row = g._row AND s._old = g._from)",
      stage, names, given, coming_back(), complete_);
}

std::string RevertPlan::is_missing(const std::string& stage) const {
  return fmt::format(
      "SELECT EXISTS (SELECT {} AND NOT ({}) AND NOT EXISTS "
      "(SELECT FROM {} s WHERE s._row = g._row AND s._old = g._from))",
      coming_back(), complete_, stage);
}

std::string RevertPlan::insert_staged(const std::string& stage) const {
  std::string given = "s._row, current_setting('coppice.op')::bigint";
  for (const Cell& cell : cells_) given += ", s." + cell.column->physical;
  return fmt::format(
      "INSERT INTO {} ({}) SELECT {} FROM {} s WHERE EXISTS "
      "(SELECT {} AND NOT ({}) AND g._row = s._row AND g._from = s._old)",
      table_->store_table(), columns(), given, stage, coming_back(), complete_);
}

}  // namespace coppice::engine
