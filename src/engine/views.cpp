#include "engine/views.h"

#include <fmt/core.h>

#include <nlohmann/json.hpp>

#include "engine/bound_expression.h"
#include "engine/create_function.h"
#include "engine/migrations.h"
#include "engine/query.h"
#include "engine/schema_change.h"
#include "engine/statement_tools.h"
#include "exec/binder.h"
#include "pg/transaction.h"
#include "sql/deparse.h"
#include "sql/read.h"
#include "sql/references.h"

namespace coppice::engine {
namespace {

using sql::as;

// Media kinds of the view's columns, which PostgreSQL may have lost on the way (max, CASE).
std::string kinds_json(const exec::ColumnKinds& columns) {
  nlohmann::json kinds = nlohmann::json::object();
  for (const exec::ColumnKind& column : columns) {
    if (column.kind) kinds[column.name] = catalog::media_kind_name(*column.kind);
  }
  return kinds.dump();
}

// The name in COMMENT ON COLUMN schema.table.column.
struct ColumnTarget {
  sql::QualifiedName relation;
  std::string column;
};

ColumnTarget column_target(const PgQuery__CommentStmt& statement) {
  const auto* list = as<PgQuery__List>(statement.object);
  std::vector<std::string> names = sql::names_in(list->n_items, list->items);
  ColumnTarget target;
  target.column = names.back();
  names.pop_back();
  target.relation.name = names.empty() ? "" : names.back();
  if (names.size() > 1) target.relation.schema = names[names.size() - 2];
  return target;
}

void comment_on_column(EngineContext& context, sql::Statement& statement,
                       const PgQuery__CommentStmt& node) {
  const ColumnTarget target = column_target(node);
  if (context.catalog.find_view(target.relation) != nullptr) {
    throw statement.error(ErrorCode::kUnsupported, -1, "comments on columns of views are not kept",
                          "comment on the view, or on the column that it reads");
  }
  const auto table = context.catalog.table(target.relation);
  const catalog::ColumnInfo& column = column_named(*table, target.column, statement, -1);
  const pg::Parameter text =
      node.comment == nullptr || *node.comment == '\0' ? pg::Parameter() : node.comment;
  pg::Transaction transaction(context.main);
  context.main.exec_params(
      "UPDATE coppice.columns SET comment = $3 WHERE table_id = $1 AND column_id = $2 "
      "AND to_version IS NULL",
      {std::to_string(table->table_id), std::to_string(column.id), text});
  context.main.exec(fmt::format("COMMENT ON COLUMN {}.{} IS {}", table->user_name(),
                                sql::quote_identifier(column.name),
                                text ? sql::quote_literal(*text) : "NULL"));
  transaction.commit();
  context.forget_catalog();
}

}  // namespace

void create_view(EngineContext& context, sql::Statement& statement, ResultSink&) {
  auto& view = *as<PgQuery__ViewStmt>(statement.node());
  sql::QualifiedName name = sql::relation_name(*view.view);
  if (name.schema.empty()) name.schema = "public";
  if (context.catalog.find_table(name) != nullptr) {
    throw statement.error(ErrorCode::kAlreadyExists, view.view->location,
                          fmt::format("\"{}\" is a table", name.name));
  }
  const std::string definition = sql::deparse(view.query);
  CatalogKinds relations(context);
  exec::BindContext binding{
      statement.arena(), context.functions, relations, statement.source(), 0, {}};
  auto& select = *as<PgQuery__SelectStmt>(view.query);
  exec::bind_select(select, binding);
  const auto columns = exec::columns_of(select, nullptr, binding.kinds());
  // As in PostgreSQL a view has no memory of versions: "t:3" stays version 3.
  resolve_versions(context, statement);
  qualify_media_types(sql::message_of(statement.node()), statement.arena());
  const std::string sent = sql::deparse(statement.node());
  try {
    alter_in_transaction(context, [&] {
      context.main.exec(sent);
      context.main.exec_params(
          "INSERT INTO coppice.views (schema_name, view_name, definition, uses_engine, kinds) "
          "VALUES ($1, $2, $3, $4, $5) ON CONFLICT (schema_name, view_name) DO UPDATE SET "
          "definition = excluded.definition, uses_engine = excluded.uses_engine, "
          "kinds = excluded.kinds",
          {name.schema, name.name, definition, binding.engine_calls > 0 ? "t" : "f",
           columns ? kinds_json(*columns) : "{}"});
      if (reader_role_exists(context.main)) {
        context.main.exec(fmt::format("GRANT SELECT ON {} TO {}", name.text(), kReaderRole));
      }
    });
  } catch (const pg::ServerError& error) {
    throw query_error(context, error, sent, statement);
  }
  context.forget_catalog();
}

void drop_views(EngineContext& context, sql::Statement& statement, ResultSink& sink) {
  const auto& drop = *as<PgQuery__DropStmt>(statement.node());
  const bool cascade = drop.behavior == PG_QUERY__DROP_BEHAVIOR__DROP_CASCADE;
  for (const sql::Node* object : sql::nodes(drop.n_objects, drop.objects)) {
    const sql::QualifiedName name = sql::object_name(object);
    const auto view = context.catalog.find_view(name);
    if (view == nullptr) {
      if (const auto table = context.catalog.find_table(name)) {
        const char* kind = table->view ? "materialized view" : "table";
        throw statement.error(ErrorCode::kRefused, -1,
                              fmt::format("\"{}\" is a {}", name.name, kind),
                              table->view ? "use DROP MATERIALIZED VIEW" : "use DROP TABLE");
      }
      if (!drop.missing_ok) context.catalog.throw_unknown_table(name);
      sink.notice(fmt::format("view \"{}\" does not exist, skipping", name.name));
      continue;
    }
    try {
      alter_in_transaction(context, [&] {
        context.main.exec(
            fmt::format("DROP VIEW {}{}", view->name.text(), cascade ? " CASCADE" : ""));
        forget_dropped_views(context);
      });
    } catch (const pg::ServerError& error) {
      throw statement.error(error.code(), -1, error.message(), error.hint());
    }
    context.forget_catalog();
  }
}

void grant(EngineContext& context, sql::Statement& statement) {
  const auto& node = *as<PgQuery__GrantStmt>(statement.node());
  const bool on_table = node.objtype == PG_QUERY__OBJECT_TYPE__OBJECT_TABLE;
  const bool on_schema = node.objtype == PG_QUERY__OBJECT_TYPE__OBJECT_SCHEMA;
  const auto refuse = [&](const std::string& what) {
    throw statement.error(ErrorCode::kUnsupported, -1, what,
                          "GRANT SELECT ON a table or view, or USAGE ON SCHEMA");
  };
  if (!on_table && !on_schema) refuse("only rights on tables, views and schemas can be granted");
  if (node.is_grant && node.n_privileges == 0) {
    refuse("ALL cannot be granted: rows change through Coppice alone");
  }
  for (sql::Node* privilege : sql::nodes(node.n_privileges, node.privileges)) {
    const auto* right = as<PgQuery__AccessPriv>(privilege);
    const std::string name = right->priv_name == nullptr ? "all" : right->priv_name;
    if (node.is_grant && name != (on_table ? "select" : "usage")) {
      refuse(fmt::format("{} cannot be granted: rows change through Coppice alone", name));
    }
  }
  for (sql::Node* object : sql::nodes(node.n_objects, node.objects)) {
    if (on_schema) {
      const std::string schema = sql::object_name(object).name;
      if (!context.catalog.has_schema(schema)) {
        throw Error(ErrorCode::kNotFound, fmt::format("schema \"{}\" does not exist", schema));
      }
      continue;
    }
    const sql::QualifiedName name = sql::relation_name(*as<PgQuery__RangeVar>(object));
    if (context.catalog.find_table(name) == nullptr && context.catalog.find_view(name) == nullptr) {
      context.catalog.throw_unknown_table(name);
    }
  }
  try {
    alter_in_transaction(context, [&] { context.main.exec(sql::deparse(statement.node())); });
  } catch (const pg::ServerError& error) {
    throw query_error(context, error, statement.text(), statement);
  }
}

void comment(EngineContext& context, sql::Statement& statement) {
  auto& node = *as<PgQuery__CommentStmt>(statement.node());
  switch (node.objtype) {
    case PG_QUERY__OBJECT_TYPE__OBJECT_COLUMN:
      return comment_on_column(context, statement, node);
    case PG_QUERY__OBJECT_TYPE__OBJECT_TABLE:
    case PG_QUERY__OBJECT_TYPE__OBJECT_MATVIEW: {
      // To PostgreSQL the user's table is a view.
      context.catalog.table(sql::object_name(node.object));
      node.objtype = PG_QUERY__OBJECT_TYPE__OBJECT_VIEW;
      break;
    }
    case PG_QUERY__OBJECT_TYPE__OBJECT_FUNCTION:
      return comment_on_function(context, statement);
    case PG_QUERY__OBJECT_TYPE__OBJECT_VIEW:
    case PG_QUERY__OBJECT_TYPE__OBJECT_SCHEMA:
      break;
    default:
      throw statement.error(
          ErrorCode::kUnsupported, -1,
          "comments can be made on tables, columns, views, schemas and functions");
  }
  try {
    context.main.exec(sql::deparse(statement.node()));
  } catch (const pg::ServerError& error) {
    throw query_error(context, error, statement.text(), statement);
  }
}

}  // namespace coppice::engine
