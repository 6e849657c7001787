#include "engine/revert_plan.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/text.h"
#include "catalog/expressions.h"
#include "engine/row_changes.h"
#include "sql/deparse.h"
#include "sql/parse.h"
#include "sql/read.h"

namespace coppice::engine {

using catalog::ColumnInfo;
using catalog::TableInfo;

namespace {

// The first version with a physical column.
std::int64_t birth_of(EngineContext& context, const TableInfo& table, const std::string& physical) {
  return context.main
      .exec_cached(
          "SELECT min(from_version) FROM coppice.columns WHERE table_id = $1 "
          "AND physical = $2 AND state = 'live'",
          {std::to_string(table.table_id), physical})
      .integer(0, 0);
}

// How its cells were made from others then; nothing for a column that never had others.
std::optional<std::string> conversion_of(EngineContext& context, const TableInfo& table,
                                         const std::string& physical) {
  const pg::Result row = context.main.exec_cached(
      "SELECT expression FROM coppice.conversions WHERE table_id = $1 AND physical = $2",
      {std::to_string(table.table_id), physical});
  if (row.rows() == 0) return std::nullopt;
  return std::string(row.text(0, 0));
}

// What stood in the place of a physical column at a version; nothing when its column did not exist.
std::optional<std::string> physical_at(EngineContext& context, const TableInfo& table,
                                       const std::string& physical, std::int64_t version) {
  const pg::Result row = context.main.exec_cached(
      "SELECT p.physical FROM coppice.columns p WHERE p.table_id = $1 "
      "AND p.state = 'live' AND p.from_version <= $3 "
      "AND (p.to_version IS NULL OR p.to_version > $3) AND p.column_id = "
      "(SELECT column_id FROM coppice.columns WHERE table_id = $1 AND physical = $2 LIMIT 1)",
      {std::to_string(table.table_id), physical, std::to_string(version)});
  if (row.rows() == 0) return std::nullopt;
  return std::string(row.text(0, 0));
}

std::string type_of(EngineContext& context, const TableInfo& table, const std::string& physical) {
  return std::string(context.main
                         .exec_cached("SELECT type FROM coppice.columns WHERE table_id = $1 "
                                      "AND physical = $2 LIMIT 1",
                                      {std::to_string(table.table_id), physical})
                         .text(0, 0));
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

// Row versions that were current at that version have a cell of what was added with it.
std::string RevertPlan::filled_since(EngineContext& context, std::int64_t birth) const {
  return published_after(context.catalog.version_info(*table_, birth), "g._to");
}

RevertPlan::Cell RevertPlan::make_cell(EngineContext& context, const ColumnInfo& column) {
  if (column.filling) return {&column, "false", "NULL"};
  if (!column.computed()) {
    Cell cell = make_plain_cell(context, column.physical, column.type);
    cell.column = &column;
    return cell;
  }
  const std::string present = "g." + column.physical;
  const std::int64_t birth = birth_of(context, *table_, column.physical);
  if (birth <= target_.version) return {&column, "true", present};
  const std::string filled = filled_since(context, birth);
  return {&column, filled, fmt::format("CASE WHEN {} THEN {} END", filled, present)};
}

// The cell of a row version that was gone when the column was added is made as it was for others,
// from what its columns were then.
RevertPlan::Cell RevertPlan::make_plain_cell(EngineContext& context, const std::string& physical,
                                             const std::string& type) {
  const std::string present = "g." + physical;
  const std::int64_t birth = birth_of(context, *table_, physical);
  const auto conversion = conversion_of(context, *table_, physical);
  if (birth <= target_.version) return {nullptr, "true", present};
  if (!conversion) {
    // It was computed then, by another expression: the value is a plain one now.
    const auto then = physical_at(context, *table_, physical, target_.version);
    if (!then) return {nullptr, "true", present};
    compare_all_ = true;
    return {nullptr, "true", fmt::format("(g.{})::{}", *then, catalog::assignment_type(type))};
  }
  sql::Statement expression = sql::parse_expression(*conversion);
  bool reads_columns = false;
  sql::rewrite_top_down(expression.root(), [&](sql::Node*& slot) {
    const auto* reference = sql::as<PgQuery__ColumnRef>(slot);
    if (reference == nullptr) return sql::Visit::kInto;
    reads_columns = true;
    const std::string read = sql::column_ref_names(*reference).back();
    const sql::Statement cell = sql::parse_expression(
        make_plain_cell(context, read, type_of(context, *table_, read)).value);
    slot = sql::clone(expression.arena(), cell.node());
    return sql::Visit::kSkip;
  });
  const std::string filled = filled_since(context, birth);
  const std::string value =
      fmt::format("CASE WHEN {} THEN {} ELSE ({})::{} END", filled, present,
                  sql::deparse_expression(expression.node()), catalog::assignment_type(type));
  // A default is drawn for each row: it is not there to be compared.
  return {nullptr, reads_columns ? "true" : filled, value};
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

std::string RevertPlan::gone() const {
  return compare_all_ ? catalog::visible_at(target_) : gone_since(target_);
}

std::string RevertPlan::come() const {
  return compare_all_ ? fmt::format("_to = {}", catalog::kCurrentText) : come_since(target_);
}

std::string RevertPlan::coming_back(const std::string& joined) const {
  return fmt::format(
      "FROM (SELECT * FROM {0} WHERE {1}) g{4} WHERE NOT EXISTS "
      "(SELECT FROM (SELECT * FROM {0} WHERE {2}) c WHERE {3})",
      table_->store_table(), gone(), come(), same_cells(), joined);
}

std::string RevertPlan::columns() const {
  std::string list = "_row, _from, _to";
  for (const Cell& cell : cells_) list += ", " + cell.column->physical;
  return list;
}

// What columns() has besides the cells.
std::string RevertPlan::row_of(std::string_view source, catalog::RowMark mark) const {
  return fmt::format("{}._row, current_setting('coppice.op')::bigint, {}", source,
                     catalog::marked_to(*table_, mark));
}

std::string RevertPlan::values() const {
  std::string list = row_of("g", catalog::RowMark::kCopied);
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
      table_->store_table(), gone(), come(), same_cells());
}

std::string RevertPlan::close() const {
  return fmt::format(
      "UPDATE {0} c SET _to = current_setting('coppice.op')::bigint WHERE {2} AND NOT EXISTS "
      "(SELECT FROM (SELECT * FROM {0} WHERE {1}) g WHERE {3})",
      table_->store_table(), gone(), come(), same_cells());
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

std::string RevertPlan::load_all(const std::string& stage) const {
  const std::string store = table_->store_table();
  const bool fills = std::any_of(cells_.begin(), cells_.end(),
                                 [](const Cell& cell) { return cell.column->filling; });
  // What has all its cells is computed no more: it is past any round.
  std::string names = "_old, _action, _round";
  std::string given = fmt::format(
      "p._from, CASE WHEN p._row IS NULL THEN 'i' ELSE 'u' END::\"char\", "
      "CASE WHEN {} THEN 1000 ELSE 0 END",
      fills ? "false" : complete_);
  std::string rows = "c._row";
  names += ", _row";
  given += ", g._row";
  if (table_->view) {
    names += ", _parent";
    given += ", g._parent";
    rows += ", c._parent";
  }
  for (const Cell& cell : cells_) {
    names += ", " + cell.column->physical;
    given += ", " + cell.value;
  }
  const std::string present = fmt::format(
      " LEFT JOIN (SELECT _row, _from FROM {} WHERE {}) p ON p._row = g._row", store, come());
  return fmt::format(
      "INSERT INTO {0} ({1}) SELECT {2} {3}; INSERT INTO {0} ({4}, _old, _action) "
      "SELECT {5}, c._from, 'd' FROM (SELECT * FROM {6} WHERE {7}) c WHERE NOT EXISTS "
      "(SELECT FROM (SELECT * FROM {6} WHERE {8}) g WHERE g._row = c._row)",
      stage, names, given, coming_back(present), table_->row_columns(), rows, store, come(),
      gone());
}

std::string RevertPlan::is_missing(const std::string& stage) const {
  return fmt::format(
      "SELECT EXISTS (SELECT {} AND NOT ({}) AND NOT EXISTS "
      "(SELECT FROM {} s WHERE s._row = g._row AND s._old = g._from))",
      coming_back(), complete_, stage);
}

std::string RevertPlan::insert_staged(const std::string& stage) const {
  std::string given = row_of("s", catalog::RowMark::kGiven);
  for (const Cell& cell : cells_) given += ", s." + cell.column->physical;
  return fmt::format(
      "INSERT INTO {} ({}) SELECT {} FROM {} s WHERE EXISTS "
      "(SELECT {} AND NOT ({}) AND g._row = s._row AND g._from = s._old)",
      table_->store_table(), columns(), given, stage, coming_back(), complete_);
}

}  // namespace coppice::engine
