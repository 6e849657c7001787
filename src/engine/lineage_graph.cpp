#include "engine/lineage_graph.h"

#include <fmt/core.h>

#include "catalog/expressions.h"
#include "engine/query_columns.h"
#include "sql/parse.h"
#include "sql/read.h"
#include "sql/references.h"

namespace coppice::engine {
namespace {

using catalog::ColumnInfo;
using catalog::TableInfo;
using catalog::TablePointer;

const std::set<std::string> kNothing;

sql::QualifiedName in_public(sql::QualifiedName name) {
  if (name.schema.empty()) name.schema = "public";
  return name;
}

}  // namespace

LineageGraph::LineageGraph(EngineContext& context) {
  context.forget_catalog();
  for (const sql::QualifiedName& name : context.catalog.all_tables()) {
    if (const TablePointer table = context.catalog.find_table(name)) add_table(*table);
  }
  for (const sql::QualifiedName& name : context.catalog.all_tables()) {
    const TablePointer table = context.catalog.find_table(name);
    if (table != nullptr && table->view) connect_materialized(context, *table);
  }
  add_view_columns(context);
  connect_views(context);
}

namespace {

// The columns of `alias` that an expression reads; with `iterator`, whether it reads that, too.
std::set<std::string> names_behind(const std::string& expression, const std::string& alias) {
  std::set<std::string> names;
  sql::Statement parsed = sql::parse_expression(expression);
  for (const auto* reference : sql::collect_column_refs(parsed.node())) {
    const std::vector<std::string> read = sql::column_ref_names(*reference);
    if (read.front() == alias) names.insert(read.back());
  }
  return names;
}

}  // namespace

// From the parent's columns; what the iterator gives is made from its arguments.
void LineageGraph::connect_materialized(EngineContext& context, const TableInfo& view) {
  const catalog::MaterializedInfo& info = *view.view;
  const TablePointer parent = context.catalog.table_by_id(info.parent_id);
  if (parent == nullptr) return;
  for (const ColumnInfo* column : view.visible_columns()) {
    if (!column->derived) continue;
    std::set<std::string> sources = names_behind(*column->derived, info.parent_alias);
    if (info.iterator && !names_behind(*column->derived, info.iterator->alias).empty()) {
      sources.merge(names_behind(info.iterator->call, info.parent_alias));
    }
    for (const std::string& name : sources) {
      connect(id_of(parent->user_name(), name), id_of(view.user_name(), column->name));
    }
  }
}

std::string LineageGraph::id_of(const std::string& relation, const std::string& column) {
  return relation + "." + sql::quote_identifier(column);
}

std::string LineageGraph::add(const sql::QualifiedName& relation, const std::string& column,
                              LineageNode description) {
  description.relation = relation.text();
  description.column = sql::quote_identifier(column);
  const std::string id = id_of(description.relation, column);
  relations_[description.relation].push_back(id);
  nodes_[id] = std::move(description);
  return id;
}

void LineageGraph::connect(const std::string& source, const std::string& use) {
  sources_[use].insert(source);
  uses_[source].insert(use);
}

void LineageGraph::add_table(const TableInfo& table) {
  for (const ColumnInfo* column : table.visible_columns()) {
    const bool made = column->computed() || column->derived;
    const std::string expression =
        column->derived ? *column->derived : column->expression.value_or("");
    const std::string id = add(table.name, column->name,
                               {{}, {}, made ? "computed" : "column", column->type, expression});
    if (!column->computed()) continue;
    for (const std::string& name : catalog::columns_read(table, *column->expression)) {
      connect(id_of(table.user_name(), name), id);
    }
  }
}

void LineageGraph::add_view_columns(EngineContext& context) {
  const pg::Result columns = context.main.exec_cached(
      "SELECT v.schema_name, v.view_name, a.attname, "
      "coalesce(v.kinds->>a.attname::text, format_type(a.atttypid, a.atttypmod)) "
      "FROM coppice.views v "
      "JOIN pg_attribute a ON a.attrelid = to_regclass(format('%I.%I', v.schema_name, "
      "v.view_name)) "
      "WHERE a.attnum > 0 AND NOT a.attisdropped ORDER BY v.view_id, a.attnum",
      {});
  for (int row = 0; row < columns.rows(); ++row) {
    add({std::string(columns.text(row, 0)), std::string(columns.text(row, 1))},
        std::string(columns.text(row, 2)), {{}, {}, "view", std::string(columns.text(row, 3)), {}});
  }
}

void LineageGraph::connect_views(EngineContext& context) {
  const pg::Result views = context.main.exec_cached(
      "SELECT v.schema_name, v.view_name, pg_get_viewdef(c.oid) FROM coppice.views v "
      "JOIN pg_class c ON c.oid = to_regclass(format('%I.%I', v.schema_name, v.view_name)) "
      "ORDER BY v.view_id",
      {});
  const RelationColumns relations = [&](const sql::QualifiedName& name) {
    if (name.schema == "coppice_asof") add_version(context, name.name);
    const auto version = version_views_.find(name.name);
    const bool is_version = name.schema == "coppice_asof" && version != version_views_.end();
    std::vector<QueryColumn> columns;
    const auto known = relations_.find(is_version ? version->second : in_public(name).text());
    if (known == relations_.end()) return columns;
    for (const std::string& id : known->second) {
      // The node's column is quoted where it must be; the query's reference is not.
      const std::string& quoted = nodes_.at(id).column;
      columns.push_back({sql::parse_qualified_name(quoted).name, {id}});
    }
    return columns;
  };
  for (int row = 0; row < views.rows(); ++row) {
    const sql::QualifiedName name{std::string(views.text(row, 0)), std::string(views.text(row, 1))};
    const sql::Statement query = sql::parse_statement(views.text(row, 2));
    const auto* select = sql::as<PgQuery__SelectStmt>(query.node());
    if (select == nullptr) continue;
    const std::vector<QueryColumn> traced = trace_query(*select, relations);
    const std::vector<std::string> ids = columns_of(name);
    for (std::size_t i = 0; i < traced.size() && i < ids.size(); ++i) {
      for (const std::string& source : traced[i].sources) connect(source, ids[i]);
    }
  }
}

// "t12_v3" is a view over version 3 of the table whose store is t12.
void LineageGraph::add_version(EngineContext& context, const std::string& view_name) {
  if (version_views_.contains(view_name)) return;
  const pg::Result found = context.main.exec_cached(
      "SELECT t.table_id, substring($1 FROM '_v(\\d+)$')::bigint FROM coppice.tables t "
      "WHERE $1 ~ ('^' || t.store_name || '_v\\d+$')",
      {view_name});
  if (found.rows() == 0) return;
  const TablePointer table = context.catalog.table_by_id(found.integer(0, 0));
  if (table == nullptr) return;
  const std::int64_t version = found.integer(0, 1);
  const sql::QualifiedName name{table->name.schema,
                                fmt::format("{}:{}", table->name.name, version)};
  version_views_[view_name] = name.text();
  for (const ColumnInfo& column : context.catalog.columns_at(*table, version)) {
    const std::string id = add(name, column.name, {{}, {}, "version", column.type, {}});
    if (const ColumnInfo* present = table->column_by_id(column.id)) {
      connect(id_of(table->user_name(), present->name), id);
    }
  }
}

std::vector<std::string> LineageGraph::columns_of(const sql::QualifiedName& relation) const {
  const auto found = relations_.find(in_public(relation).text());
  return found == relations_.end() ? std::vector<std::string>() : found->second;
}

const std::set<std::string>& LineageGraph::sources(const std::string& id) const {
  const auto found = sources_.find(id);
  return found == sources_.end() ? kNothing : found->second;
}

const std::set<std::string>& LineageGraph::uses(const std::string& id) const {
  const auto found = uses_.find(id);
  return found == uses_.end() ? kNothing : found->second;
}

}  // namespace coppice::engine
