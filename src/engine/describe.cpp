#include "engine/describe.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/text.h"
#include "engine/emit.h"
#include "engine/function_use.h"
#include "engine/references.h"
#include "engine/row_counts.h"
#include "engine/schema_text.h"
#include "engine/stored_index.h"
#include "engine/view_stages.h"

namespace coppice::engine {
namespace {

using catalog::ColumnInfo;
using catalog::ConstraintInfo;
using catalog::ConstraintKind;
using catalog::TableInfo;

constexpr std::int64_t kCountedBytes = 64 << 20;

std::optional<std::string> optional_text(const pg::Result& result, int row, int column) {
  if (const auto value = result.value(row, column)) return std::string(*value);
  return std::nullopt;
}

// "primary key", "unique"; of a key over several columns with the place in it: "primary key 2".
std::optional<std::string> key_of(const TableInfo& table, const ColumnInfo& column) {
  std::vector<std::string> keys;
  for (const ConstraintInfo& constraint : table.constraints) {
    if (constraint.kind == ConstraintKind::kCheck) continue;
    const auto& ids = constraint.columns;
    const auto place = std::find(ids.begin(), ids.end(), column.id);
    if (place == ids.end()) continue;
    std::string text(catalog::constraint_kind_name(constraint.kind));
    if (ids.size() > 1) text += fmt::format(" {}", place - ids.begin() + 1);
    keys.push_back(std::move(text));
  }
  if (keys.empty()) return std::nullopt;
  return join(keys, ", ");
}

// Where its values come from.
std::optional<std::string> value_of(const EngineContext& context, const ColumnInfo& column) {
  if (column.computed()) return "= " + *column.expression;
  if (column.derived) return "from the query: " + *column.derived;
  if (column.identity) return "identity, " + *column.identity;
  if (column.sequence) return "serial";
  std::vector<std::string> parts;
  if (column.default_sql) parts.push_back("default " + *column.default_sql);
  if (keeps_references(context, column)) parts.push_back("URLs are kept");
  if (parts.empty()) return std::nullopt;
  return join(parts, "; ");
}

void describe_columns(const EngineContext& context, const TableInfo& table, ResultSink& sink) {
  RowsOut rows(sink, {{"column", "text"},
                      {"type", "text"},
                      {"null", "text"},
                      {"value", "text"},
                      {"key", "text"},
                      {"on_error", "text"},
                      {"comment", "text"}});
  for (const ColumnInfo* column : table.visible_columns()) {
    std::optional<std::string> on_error;
    if (column->computed() || column->derived) {
      on_error = column->on_error == catalog::OnError::kIgnore ? "ignore" : "abort";
    }
    rows.row({column->name, column->type, column->not_null ? "no" : "yes",
              value_of(context, *column), key_of(table, *column), on_error, column->comment});
  }
  rows.end();
}

void describe_constraints(EngineContext& context, const TableInfo& table, ResultSink& sink) {
  if (table.constraints.empty() && table.indexes.empty()) return;
  RowsOut rows(sink, {{"name", "text"}, {"kind", "text"}, {"definition", "text"}});
  for (const ConstraintInfo& constraint : table.constraints) {
    ConstraintDraft draft;
    draft.kind = constraint.kind;
    draft.expression = constraint.expression;
    draft.nulls_distinct = constraint.nulls_distinct;
    for (const std::int64_t id : constraint.columns) {
      draft.columns.push_back(table.column_by_id(id)->name);
    }
    rows.row({constraint.name, std::string(catalog::constraint_kind_name(constraint.kind)),
              constraint_text(draft)});
  }
  for (const catalog::IndexInfo& index : table.indexes) {
    const IndexModel model{index.name, stored_index_definition(context, table, index), {}};
    rows.row({index.name, "index", create_index_text(table.name, model)});
  }
  rows.end();
}

void tell_of_stale_columns(EngineContext& context, const TableInfo& table, ResultSink& sink) {
  for (const StaleColumn& stale : stale_columns(context)) {
    if (stale.table != shown_name(table.name)) continue;
    sink.notice(
        fmt::format("column \"{0}\" is stale: it was computed by version {1} of {2}, which is "
                    "at version {3} now; compute it again: coppice recompute {4} {0}",
                    stale.column, stale.computed_by, stale.function, stale.current, stale.table));
  }
}

void tell_of_fills(const TableInfo& table, ResultSink& sink) {
  for (const ColumnInfo& column : table.columns) {
    if (!column.filling) continue;
    sink.notice(fmt::format("column \"{}\" is being filled: coppice jobs", column.name));
  }
}

// What a materialized view is made from, and what is made from a table.
void describe_tree(EngineContext& context, const TableInfo& table, ResultSink& sink) {
  if (table.view) {
    RowsOut query(sink, {{"query", "text"}, {"made_from", "text"}, {"since_version", "bigint"}});
    query.row({table.view->definition,
               context.catalog.table_by_id(table.view->parent_id)->user_name(),
               std::to_string(table.view->first_version)});
    query.end();
  }
  if (table.views.empty()) return;
  RowsOut views(sink, {{"materialized_view", "text"}, {"made_from", "text"}, {"query", "text"}});
  for (const auto& view : views_over(context, table)) {
    views.row({view->user_name(), context.catalog.table_by_id(view->view->parent_id)->user_name(),
               view->view->definition});
  }
  views.end();
}

void describe_view(EngineContext& context, const catalog::ViewInfo& view, ResultSink& sink) {
  const pg::Result columns = context.main.exec_params(
      "SELECT a.attname, CASE WHEN n.nspname = 'coppice' THEN t.typname::text "
      "ELSE format_type(a.atttypid, a.atttypmod) END FROM pg_attribute a "
      "JOIN pg_type t ON t.oid = a.atttypid JOIN pg_namespace n ON n.oid = t.typnamespace "
      "WHERE a.attrelid = to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped "
      "ORDER BY a.attnum",
      {view.name.text()});
  RowsOut rows(sink, {{"column", "text"}, {"type", "text"}});
  for (int row = 0; row < columns.rows(); ++row) {
    const std::string name(columns.text(row, 0));
    std::string type(columns.text(row, 1));
    for (const auto& [known, kind] : view.kinds) {
      if (known == name) type = catalog::media_kind_name(kind);
    }
    rows.row({name, type});
  }
  rows.end();
  RowsOut query(sink, {{"query", "text"}, {"read_by", "text"}});
  query.row({view.definition, view.uses_engine ? "Coppice" : "Coppice, psql and other tools"});
  query.end();
}

}  // namespace

void list_objects(EngineContext& context, const std::optional<std::string>& schema,
                  ResultSink& sink) {
  if (schema && !context.catalog.has_schema(*schema)) {
    throw Error(ErrorCode::kNotFound, fmt::format("schema \"{}\" does not exist", *schema),
                did_you_mean(*schema, context.catalog.all_schemas()));
  }
  const pg::Result objects = context.main.exec_params(
      "WITH objects AS ("
      "SELECT schema_name, table_name AS name, "
      "CASE WHEN m.table_id IS NULL THEN 'table' ELSE 'materialized view' END AS kind, "
      "table_id, r.version FROM coppice.tables JOIN coppice.trees r USING (tree_id) "
      "LEFT JOIN coppice.materialized_views m USING (table_id) "
      "UNION ALL SELECT schema_name, view_name, 'view', NULL, NULL FROM coppice.views) "
      "SELECT o.schema_name, o.name, o.kind, "
      "(SELECT count(*) FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 "
      "AND NOT a.attisdropped), o.table_id, o.version, obj_description(c.oid, 'pg_class') "
      "FROM objects o LEFT JOIN pg_class c "
      "ON c.oid = to_regclass(format('%I.%I', o.schema_name, o.name)) "
      "WHERE $1::text IS NULL OR o.schema_name = $1 ORDER BY 1, 2",
      {schema});
  const auto sizes = stored_sizes(context, kCountedBytes);
  RowsOut rows(sink, {{"schema", "text"},
                      {"name", "text"},
                      {"kind", "text"},
                      {"columns", "bigint"},
                      {"rows", "bigint"},
                      {"version", "bigint"},
                      {"size", "text"},
                      {"comment", "text"}});
  bool estimated = false;
  for (int row = 0; row < objects.rows(); ++row) {
    std::optional<std::string> count, size;
    if (!objects.is_null(row, 4)) {
      const auto found = sizes.find(objects.integer(row, 4));
      const StoredSize stored = found == sizes.end() ? StoredSize() : found->second;
      count = std::to_string(stored.rows);
      size = human_bytes(static_cast<std::uint64_t>(stored.size_bytes));
      estimated = estimated || stored.is_estimate;
    }
    rows.row({optional_text(objects, row, 0), optional_text(objects, row, 1),
              optional_text(objects, row, 2), optional_text(objects, row, 3), count,
              optional_text(objects, row, 5), size, optional_text(objects, row, 6)});
  }
  rows.end();
  if (estimated) sink.notice("rows of tables over 64 MiB are PostgreSQL's estimate");
}

void describe_table(EngineContext& context, const std::string& text, ResultSink& sink) {
  const sql::QualifiedName name = sql::parse_qualified_name(text);
  if (const auto table = context.catalog.find_table(name)) {
    describe_columns(context, *table, sink);
    describe_constraints(context, *table, sink);
    describe_tree(context, *table, sink);
    tell_of_fills(*table, sink);
    tell_of_stale_columns(context, *table, sink);
    return;
  }
  const auto view = context.catalog.find_view(name);
  if (view == nullptr) context.catalog.throw_unknown_table(name);
  describe_view(context, *view, sink);
}

}  // namespace coppice::engine
