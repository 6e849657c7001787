#include "engine/schema_catalog.h"

#include <fmt/core.h>

#include <algorithm>
#include <map>

#include "engine/bound_expression.h"
#include "engine/migrations.h"
#include "engine/schema_functions.h"
#include "engine/statement_tools.h"
#include "engine/stored_index.h"
#include "engine/view_text.h"
#include "exec/binder.h"
#include "pg/transaction.h"
#include "sql/deparse.h"
#include "sql/read.h"

namespace coppice::engine {
namespace {

using catalog::TableInfo;
using sql::as;

std::optional<std::string> optional_text(const pg::Result& result, int row, int column) {
  if (const auto value = result.value(row, column)) return std::string(*value);
  return std::nullopt;
}

// As read_identity() of table_draft.h writes them.
std::string sequence_options(EngineContext& context, const std::string& sequence) {
  const pg::Result row = context.main.exec_cached(
      "SELECT concat(CASE WHEN seqstart <> 1 THEN ' start ' || seqstart END, "
      "CASE WHEN seqincrement <> 1 THEN ' increment ' || seqincrement END, "
      "CASE WHEN seqmin <> 1 AND seqincrement > 0 THEN ' minvalue ' || seqmin END, "
      "CASE WHEN seqmax NOT IN (32767, 2147483647, 9223372036854775807) AND seqincrement > 0 "
      "THEN ' maxvalue ' || seqmax END, "
      "CASE WHEN seqcache <> 1 THEN ' cache ' || seqcache END, CASE WHEN seqcycle THEN ' cycle' "
      "END) "
      "FROM pg_sequence WHERE seqrelid = to_regclass($1)",
      {sequence});
  return row.rows() == 0 ? "" : std::string(row.text(0, 0));
}

ColumnDraft column_model(EngineContext& context, const catalog::ColumnInfo& column) {
  ColumnDraft draft;
  draft.info = column;
  draft.info.type = canonical_type(column.type);
  draft.serial = column.sequence && !column.identity;
  if (column.identity) draft.sequence_options = sequence_options(context, *column.sequence);
  return draft;
}

ConstraintDraft constraint_model(const TableInfo& table,
                                 const catalog::ConstraintInfo& constraint) {
  ConstraintDraft draft;
  draft.kind = constraint.kind;
  draft.name = constraint.name;
  draft.expression = constraint.expression;
  draft.nulls_distinct = constraint.nulls_distinct;
  for (const std::int64_t id : constraint.columns) {
    draft.columns.push_back(table.column_by_id(id)->name);
  }
  return draft;
}

std::string deparsed_query(const std::string& query) {
  sql::Statement statement = sql::parse_statement(query);
  return sql::deparse(statement.node());
}

TableModel table_model(EngineContext& context, const TableInfo& table) {
  TableModel model;
  model.name = table.name;
  if (table.view) model.query = deparsed_query(table.view->definition);
  for (const catalog::ColumnInfo* column : table.visible_columns()) {
    if (column->derived) continue;
    model.draft.columns.push_back(column_model(context, *column));
  }
  for (const catalog::ConstraintInfo& constraint : table.constraints) {
    model.draft.constraints.push_back(constraint_model(table, constraint));
  }
  for (const catalog::IndexInfo& index : table.indexes) {
    model.indexes.push_back({index.name, stored_index_definition(context, table, index), {}});
  }
  return model;
}

std::vector<TableModel> read_tables(EngineContext& context) {
  std::vector<TableModel> tables;
  std::vector<catalog::TablePointer> views;  // behind what they are made from
  for (const sql::QualifiedName& name : context.catalog.all_tables()) {
    const catalog::TablePointer table = context.catalog.table(name);
    if (table->view) {
      views.push_back(table);
    } else {
      tables.push_back(table_model(context, *table));
    }
  }
  std::sort(views.begin(), views.end(),
            [](const auto& a, const auto& b) { return a->table_id < b->table_id; });
  for (const catalog::TablePointer& view : views) tables.push_back(table_model(context, *view));
  const pg::Result rows = context.main.exec(
      "SELECT t.schema_name, t.table_name, r.retention, obj_description("
      "to_regclass(format('%I.%I', t.schema_name, t.table_name)), 'pg_class') "
      "FROM coppice.tables t JOIN coppice.trees r USING (tree_id)");
  for (int row = 0; row < rows.rows(); ++row) {
    for (TableModel& table : tables) {
      if (table.name.schema != rows.text(row, 0) || table.name.name != rows.text(row, 1)) continue;
      if (!table.query) table.retention = optional_text(rows, row, 2);
      table.comment = optional_text(rows, row, 3);
    }
  }
  return tables;
}

// The columns that a query has by itself; nullopt when it cannot be read any more.
std::optional<std::vector<std::string>> columns_of_query(EngineContext& context,
                                                         const std::string& query) {
  // What fails must not spoil a transaction of the caller.
  std::optional<pg::Savepoint> savepoint;
  if (context.main.in_transaction()) savepoint.emplace(context.main, "coppice_view");
  try {
    sql::Statement statement = sql::parse_statement(query);
    CatalogKinds relations(context);
    exec::BindContext binding{
        statement.arena(), context.functions, relations, statement.source(), 0, {}};
    exec::bind_select(*as<PgQuery__SelectStmt>(statement.node()), binding);
    resolve_versions(context, statement);
    qualify_media_types(sql::message_of(statement.node()), statement.arena());
    std::vector<std::string> names;
    for (const pg::Column& column : context.main.describe(sql::deparse(statement.node())).columns) {
      names.push_back(column.name);
    }
    return names;
  } catch (const Error&) {
    if (savepoint) savepoint->rollback();
    return std::nullopt;
  }
}

std::vector<ViewModel> read_views(EngineContext& context) {
  const pg::Result rows = context.main.exec(
      "SELECT v.schema_name, v.view_name, v.definition, "
      "obj_description(c.oid, 'pg_class'), a.attname "
      "FROM coppice.views v JOIN pg_class c "
      "ON c.oid = to_regclass(format('%I.%I', v.schema_name, v.view_name)) "
      "JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped "
      "ORDER BY v.schema_name, v.view_name, a.attnum");
  std::vector<ViewModel> views;
  for (int row = 0; row < rows.rows(); ++row) {
    const sql::QualifiedName name{std::string(rows.text(row, 0)), std::string(rows.text(row, 1))};
    if (views.empty() || views.back().name != name) {
      views.push_back({name, {}, std::string(rows.text(row, 2)), optional_text(rows, row, 3), {}});
    }
    views.back().columns.emplace_back(rows.text(row, 4));
  }
  for (ViewModel& view : views) {
    auto natural = columns_of_query(context, view.definition);
    if (!natural) {
      view.definition = view_text(context, view.name.text());
      natural = columns_of_query(context, view.definition);
    }
    view.definition = deparsed_query(view.definition);
    if (!natural || *natural == view.columns) view.columns.clear();
  }
  sort_by_dependency(views);
  return views;
}

std::vector<NamedSchema> read_schemas(EngineContext& context) {
  const pg::Result rows = context.main.exec(
      "SELECT s.schema_name, obj_description(n.oid, 'pg_namespace') FROM coppice.schemas s "
      "JOIN pg_namespace n ON n.nspname = s.schema_name WHERE s.schema_name <> 'public' "
      "ORDER BY 1");
  std::vector<NamedSchema> schemas;
  for (int row = 0; row < rows.rows(); ++row) {
    schemas.push_back({std::string(rows.text(row, 0)), optional_text(rows, row, 1), {}});
  }
  return schemas;
}

// What others than the owner and the reader may do; the reader's rights are given by Coppice.
std::vector<GrantModel> read_grants(EngineContext& context) {
  const pg::Result rows = context.main.exec(
      fmt::format("WITH ours AS ("
                  "SELECT schema_name AS s, table_name AS n FROM coppice.tables "
                  "UNION ALL SELECT schema_name, view_name FROM coppice.views), "
                  "relation AS (SELECT o.s, o.n, c.oid, c.relacl, c.relowner FROM ours o "
                  "JOIN pg_class c ON c.oid = to_regclass(format('%I.%I', o.s, o.n))), "
                  "granted AS ("
                  "SELECT false AS on_schema, r.s, r.n, '' AS c, a.* FROM relation r, "
                  "LATERAL aclexplode(r.relacl) a "
                  "WHERE a.privilege_type = 'SELECT' AND a.grantee <> r.relowner "
                  "UNION ALL SELECT false, r.s, r.n, t.attname, a.* FROM relation r "
                  "JOIN pg_attribute t ON t.attrelid = r.oid AND NOT t.attisdropped, "
                  "LATERAL aclexplode(t.attacl) a WHERE a.privilege_type = 'SELECT' "
                  "UNION ALL SELECT true, '', p.nspname, '', a.* FROM coppice.schemas o "
                  "JOIN pg_namespace p ON p.nspname = o.schema_name, "
                  "LATERAL aclexplode(p.nspacl) a WHERE a.privilege_type = 'USAGE' "
                  "AND a.grantee <> p.nspowner AND (p.nspname <> 'public' OR a.grantee <> 0)) "
                  "SELECT g.on_schema, g.s, g.n, g.c, coalesce(u.rolname, ''), g.is_grantable "
                  "FROM granted g LEFT JOIN pg_roles u ON u.oid = g.grantee "
                  "WHERE u.rolname IS DISTINCT FROM '{}' ORDER BY g.on_schema DESC, 2, 3, 4, 5",
                  kReaderRole));
  std::vector<GrantModel> grants;
  for (int row = 0; row < rows.rows(); ++row) {
    GrantModel grant;
    grant.on_schema = rows.boolean(row, 0);
    grant.object = {std::string(rows.text(row, 1)), std::string(rows.text(row, 2))};
    grant.column = rows.text(row, 3);
    grant.grantee = rows.text(row, 4);
    grant.with_grant_option = rows.boolean(row, 5);
    grants.push_back(std::move(grant));
  }
  return grants;
}

}  // namespace

SchemaModel schema_in_catalog(EngineContext& context) {
  context.forget_catalog();
  SchemaModel model;
  model.schemas = read_schemas(context);
  model.functions = functions_in_catalog(context);
  model.tables = read_tables(context);
  model.views = read_views(context);
  model.grants = read_grants(context);
  return model;
}

}  // namespace coppice::engine
