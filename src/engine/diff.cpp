#include "engine/diff.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/text.h"
#include "engine/emit.h"
#include "engine/named_table.h"
#include "engine/row_changes.h"
#include "pg/row_stream.h"
#include "pg/transaction.h"

namespace coppice::engine {
namespace {

using catalog::ColumnInfo;
using catalog::TableInfo;
using catalog::TablePointer;
using catalog::VersionInfo;

// One version of the table: when, and with which columns.
struct Side {
  VersionInfo version;
  std::vector<ColumnInfo> columns;
};

// A column that both versions have.
struct CommonColumn {
  const ColumnInfo* from = nullptr;
  const ColumnInfo* to = nullptr;
};

Side read_side(EngineContext& context, const TableInfo& table, const std::string& at) {
  Side side;
  side.version = context.catalog.version_at(table, at);
  side.columns = context.catalog.columns_at(table, side.version.version);
  return side;
}

const ColumnInfo* same_column(const std::vector<ColumnInfo>& columns, const ColumnInfo& wanted) {
  const auto found = std::find_if(columns.begin(), columns.end(),
                                  [&](const ColumnInfo& c) { return c.id == wanted.id; });
  return found == columns.end() ? nullptr : &*found;
}

std::vector<CommonColumn> common_columns(const Side& from, const Side& to) {
  std::vector<CommonColumn> common;
  for (const ColumnInfo& column : to.columns) {
    if (const ColumnInfo* old = same_column(from.columns, column)) common.push_back({old, &column});
  }
  return common;
}

// As CREATE TABLE would say it.
std::string definition(const ColumnInfo& column) {
  std::string text = column.type;
  if (column.expression)
    text += fmt::format(" GENERATED ALWAYS AS ({}) STORED", *column.expression);
  if (column.default_sql) text += " DEFAULT " + *column.default_sql;
  if (column.not_null) text += " NOT NULL";
  return text;
}

void emit_schema(const Side& from, const Side& to, RowsOut& out) {
  const auto row = [&](const char* change, const ColumnInfo& column, std::optional<std::string> old,
                       std::optional<std::string> now) {
    out.row({change, std::nullopt, column.name, std::move(old), std::move(now)});
  };
  for (const ColumnInfo& column : from.columns) {
    if (same_column(to.columns, column) != nullptr) continue;
    row("column dropped", column, definition(column), std::nullopt);
  }
  for (const ColumnInfo& column : to.columns) {
    const ColumnInfo* old = same_column(from.columns, column);
    if (old == nullptr) {
      row("column added", column, std::nullopt, definition(column));
      continue;
    }
    if (old->name != column.name) row("column renamed", column, old->name, column.name);
    if (old->type != column.type) row("type changed", column, old->type, column.type);
    // A rename of a column that it reads changes the text of an expression, not what it says.
    if (old->expression != column.expression && old->physical != column.physical) {
      row("expression changed", column, old->expression, column.expression);
    }
    if (old->default_sql != column.default_sql) {
      row("default changed", column, old->default_sql, column.default_sql);
    }
    if (old->not_null != column.not_null) {
      row("null allowed", column, old->not_null ? "no" : "yes", column.not_null ? "no" : "yes");
    }
  }
}

std::string row_json(const Side& side, const std::string& alias) {
  std::vector<std::string> cells;
  for (const ColumnInfo& column : side.columns) {
    cells.push_back(
        fmt::format("{}.{} AS {}", alias, column.physical, sql::quote_identifier(column.name)));
  }
  return fmt::format("(SELECT row_to_json(j)::text FROM (SELECT {}) j)", join(cells, ", "));
}

// Rows that came, went, or have another version.
std::string changed_rows(const TableInfo& table, const Side& from, const Side& to) {
  const bool forward = from.version.version < to.version.version;
  const VersionInfo& before = forward ? from.version : to.version;
  const VersionInfo& after = forward ? to.version : from.version;
  const std::string only_from = forward ? only_before(before, after) : only_after(before, after);
  const std::string only_to = forward ? only_after(before, after) : only_before(before, after);
  std::vector<std::string> choices = {
      fmt::format("(0, 'insert', NULL, NULL, CASE WHEN o._row IS NULL THEN {} END)",
                  row_json(to, "n")),
      fmt::format("(0, 'delete', NULL, CASE WHEN n._row IS NULL THEN {} END, NULL)",
                  row_json(from, "o"))};
  for (const CommonColumn& column : common_columns(from, to)) {
    choices.push_back(fmt::format("({}, 'update', {}, o.{}::text, n.{}::text)", column.to->position,
                                  sql::quote_literal(column.to->name), column.from->physical,
                                  column.to->physical));
  }
  return fmt::format(
      "SELECT coalesce(o._row, n._row), d.place, d.change, "
      "CASE WHEN o._row IS NULL THEN {} ELSE {} END, d.name, d.old, d.new "
      "FROM (SELECT * FROM {} WHERE {}) o FULL JOIN (SELECT * FROM {} WHERE {}) n "
      "ON n._row = o._row CROSS JOIN LATERAL (VALUES {}) AS d(place, change, name, old, new) "
      "WHERE d.change = CASE WHEN o._row IS NULL THEN 'insert' WHEN n._row IS NULL THEN 'delete' "
      "ELSE 'update' END AND (d.change <> 'update' OR d.old IS DISTINCT FROM d.new)",
      row_key_sql(table, to.columns, "n"), row_key_sql(table, from.columns, "o"),
      table.store_table(), only_from, table.store_table(), only_to, join(choices, ", "));
}

// Rows that both versions have, in a column that was computed or converted anew.
std::string changed_column(const TableInfo& table, const Side& from, const Side& to,
                           const CommonColumn& column) {
  return fmt::format(
      "SELECT t._row, {0}, 'update', {1}, {2}, t.{3}::text, t.{4}::text "
      "FROM (SELECT * FROM {5} WHERE {6} AND {7}) t WHERE t.{3}::text IS DISTINCT FROM t.{4}::text",
      column.to->position, row_key_sql(table, from.columns, "t"),
      sql::quote_literal(column.to->name), column.from->physical, column.to->physical,
      table.store_table(), catalog::visible_at(from.version), catalog::visible_at(to.version));
}

void emit_rows(EngineContext& context, const TableInfo& table, const Side& from, const Side& to,
               ResultSink& sink) {
  std::vector<std::string> parts = {changed_rows(table, from, to)};
  for (const CommonColumn& column : common_columns(from, to)) {
    if (column.from->physical == column.to->physical) continue;
    parts.push_back(changed_column(table, from, to, column));
  }
  pg::RowStream rows(
      context.main,
      fmt::format("SELECT change, key, name, old, new FROM ({}) AS d(_row, place, change, key, "
                  "name, old, new) ORDER BY _row, place",
                  join(parts, " UNION ALL ")));
  while (rows.next()) sink.row(rows.row());
}

}  // namespace

void show_diff(EngineContext& context, const std::string& table_name, const std::string& from_text,
               const std::string& to_text, bool schema_only, ResultSink& sink) {
  const TablePointer table = table_named(context, table_name);
  // One snapshot: prune may be at work.
  pg::Transaction transaction(context.main, pg::TransactionMode::kReadOnlySnapshot);
  use_change_indexes(context.main);
  const Side from = read_side(context, *table, from_text);
  const Side to = read_side(context, *table, to_text);
  RowsOut out(
      sink,
      {{"change", "text"}, {"key", "text"}, {"column", "text"}, {"old", "text"}, {"new", "text"}});
  emit_schema(from, to, out);
  if (!schema_only && from.version.version != to.version.version) {
    emit_rows(context, *table, from, to, sink);
  }
  out.end();
  transaction.commit();
}

}  // namespace coppice::engine
