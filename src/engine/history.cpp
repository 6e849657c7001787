#include "engine/history.h"

#include <fmt/core.h>

#include "engine/emit.h"
#include "engine/named_table.h"
#include "pg/row_stream.h"

namespace coppice::engine {
namespace {

using catalog::ColumnInfo;
using catalog::TableInfo;
using catalog::TablePointer;

// The newest error of each cell of one column, where the cell is NULL now.
std::string errors_of_column(const TableInfo& table, const ColumnInfo& column) {
  return fmt::format(
      "SELECT {0}, {1}, {2}, e.type, e.message, e.happened_at, o.version "
      "FROM (SELECT DISTINCT ON (e.row_id) e.* FROM {3} ORDER BY e.row_id, e.op_id DESC) e "
      "JOIN {4} t ON t._row = e.row_id AND t._to = {5} AND t.{6} IS NULL "
      "JOIN coppice.operations o ON o.tree_id = {7} AND o.op_id = e.op_id ORDER BY t._row",
      sql::quote_literal(table.user_name()), sql::quote_literal(column.name),
      row_key_sql(table, table.columns, "t"), present_errors_sql(table, column),
      table.store_table(), catalog::kCurrentText, column.physical, table.tree_id);
}

std::vector<TablePointer> tables_with_errors(EngineContext& context) {
  context.forget_catalog();
  const pg::Result ids = context.main.exec(
      "SELECT t.table_id FROM coppice.tables t WHERE EXISTS "
      "(SELECT FROM coppice.cell_errors e WHERE e.table_id = t.table_id) "
      "ORDER BY t.schema_name, t.table_name");
  std::vector<TablePointer> tables;
  for (int row = 0; row < ids.rows(); ++row) {
    TablePointer table = context.catalog.table_by_id(ids.integer(row, 0));
    if (table != nullptr) tables.push_back(std::move(table));
  }
  return tables;
}

std::vector<const ColumnInfo*> columns_with_errors(EngineContext& context, const TableInfo& table) {
  const pg::Result ids = context.main.exec_cached(
      "SELECT DISTINCT column_id FROM coppice.cell_errors WHERE table_id = $1",
      {std::to_string(table.table_id)});
  std::vector<const ColumnInfo*> columns;
  for (const ColumnInfo* column : table.visible_columns()) {
    for (int row = 0; row < ids.rows(); ++row) {
      if (ids.integer(row, 0) == column->id) columns.push_back(column);
    }
  }
  return columns;
}

}  // namespace

void show_history(EngineContext& context, const std::string& table_name, ResultSink& sink) {
  const TablePointer table = table_named(context, table_name);
  RowsOut out(sink, {{"version", "bigint"},
                     {"published_at", "timestamp with time zone"},
                     {"author", "text"},
                     {"kind", "text"},
                     {"rows_inserted", "bigint"},
                     {"rows_updated", "bigint"},
                     {"rows_deleted", "bigint"},
                     {"errors", "bigint"},
                     {"statement", "text"}});
  pg::RowStream rows(
      context.main,
      fmt::format("SELECT v.version, v.published_at, o.author, o.kind, o.rows_inserted, "
                  "o.rows_updated, o.rows_deleted, o.error_count, o.statement "
                  "FROM coppice.versions v LEFT JOIN coppice.operations o USING (tree_id, op_id) "
                  "WHERE v.tree_id = {} AND v.version >= {} ORDER BY v.version",
                  table->tree_id, table->floor_version));
  while (rows.next()) sink.row(rows.row());
  out.end();
}

// Operations before the one that gave the column its expression speak of another expression.
std::string present_errors_sql(const TableInfo& table, const ColumnInfo& column) {
  return fmt::format(
      "coppice.cell_errors e JOIN coppice.operations p ON p.tree_id = {0} AND p.op_id = e.op_id "
      "AND p.state = 'published' WHERE e.table_id = {1} AND e.column_id = {2} "
      "AND e.op_id >= coalesce((SELECT v.op_id FROM coppice.versions v WHERE v.tree_id = {0} "
      "AND v.version = (SELECT min(c.from_version) FROM coppice.columns c "
      "WHERE c.table_id = {1} AND c.physical = '{3}')), 0)",
      table.tree_id, table.table_id, column.id, column.physical);
}

void show_errors(EngineContext& context, const std::optional<std::string>& table_name,
                 ResultSink& sink) {
  std::vector<TablePointer> tables;
  if (table_name) {
    tables.push_back(table_named(context, *table_name));
  } else {
    tables = tables_with_errors(context);
  }
  RowsOut out(sink, {{"table", "text"},
                     {"column", "text"},
                     {"key", "text"},
                     {"type", "text"},
                     {"message", "text"},
                     {"happened_at", "timestamp with time zone"},
                     {"version", "bigint"}});
  for (const TablePointer& table : tables) {
    for (const ColumnInfo* column : columns_with_errors(context, *table)) {
      pg::RowStream rows(context.main, errors_of_column(*table, *column));
      while (rows.next()) sink.row(rows.row());
    }
  }
  out.end();
}

}  // namespace coppice::engine
