#include "engine/create_table.h"

#include <fmt/core.h>

#include <algorithm>
#include <set>

#include "base/text.h"
#include "catalog/store_ddl.h"
#include "engine/column_definition.h"
#include "engine/create_function.h"
#include "engine/materialized_view.h"
#include "engine/migrations.h"
#include "engine/schema_change.h"
#include "engine/stage.h"
#include "engine/table_options.h"
#include "engine/view_stages.h"
#include "pg/transaction.h"
#include "sql/read.h"

namespace coppice::engine {
namespace {

using catalog::TableInfo;
using catalog::TablePointer;
using sql::as;

// Tree, table and version 0.
void keep_table(EngineContext& context, TableInfo& table, std::string_view statement) {
  pg::Connection& connection = context.main;
  table.tree_id =
      connection.exec("INSERT INTO coppice.trees DEFAULT VALUES RETURNING tree_id").integer(0, 0);
  table.store = fmt::format("t{}", table.tree_id);
  table.table_id =
      connection
          .exec_params(
              "INSERT INTO coppice.tables (tree_id, schema_name, table_name, store_name) "
              "VALUES ($1, $2, $3, $4) RETURNING table_id",
              {std::to_string(table.tree_id), table.name.schema, table.name.name, table.store})
          .integer(0, 0);
  connection.exec_params(
      "INSERT INTO coppice.operations (tree_id, op_id, table_id, table_name, kind, state, "
      "statement, "
      "author, ended_at, version) VALUES ($1, 0, $2, $3, 'create table', 'published', $4, $5, "
      "clock_timestamp(), 0)",
      {std::to_string(table.tree_id), std::to_string(table.table_id),
       table.name.schema + "." + table.name.name,
       std::string(statement.substr(0, catalog::kStatementBytesKept)), context.log.author()});
  connection.exec_params(
      "INSERT INTO coppice.versions SELECT tree_id, 0, 0, published_at, 0, '{}', 0 "
      "FROM coppice.trees WHERE tree_id = $1",
      {std::to_string(table.tree_id)});
}

void drop_stages(EngineContext& context, const TableInfo& table) {
  const pg::Result stages = context.main.exec_params(
      "UPDATE coppice.operations SET state = 'discarded', message = 'the table was dropped' "
      "WHERE tree_id = $1 AND state IN ('interrupted', 'paused') RETURNING op_id",
      {std::to_string(table.tree_id)});
  for (int row = 0; row < stages.rows(); ++row) {
    const std::int64_t operation = stages.integer(row, 0);
    discard_materialized_view(context, table.tree_id, operation);
    drop_stage_tables(context, table.tree_id, operation);
  }
}

void drop_one(EngineContext& context, const TableInfo& table, std::string_view statement) {
  pg::Connection& connection = context.main;
  const std::string tree = std::to_string(table.tree_id);
  const std::string id = std::to_string(table.table_id);
  drop_stages(context, table);
  drop_relations(context, table);
  connection.exec_params(
      "INSERT INTO coppice.operations (tree_id, op_id, table_id, table_name, kind, state, "
      "statement, author, ended_at) SELECT tree_id, last_op + 1, $2, $3, 'drop table', "
      "'published', $4, $5, clock_timestamp() FROM coppice.trees WHERE tree_id = $1",
      {tree, id, table.name.schema + "." + table.name.name, std::string(statement),
       context.log.author()});
  connection.exec_params("DELETE FROM coppice.trees WHERE tree_id = $1", {tree});
}

// The materialized views over the tables of a DROP: all go, or they are a reason not to.
void drop_materialized_over(EngineContext& context, const TableInfo& table, bool cascade,
                            std::set<std::string>& dropped) {
  std::vector<TablePointer> views = views_over(context, table);
  if (!cascade && !views.empty()) {
    std::vector<std::string> names;
    for (const TablePointer& view : views)
      names.push_back("materialized view " + view->user_name());
    throw Error(ErrorCode::kRefused,
                fmt::format("cannot drop table {} because other objects depend on it: {}",
                            table.user_name(), join(names, ", ")),
                "drop them first, or use DROP … CASCADE");
  }
  for (auto view = views.rbegin(); view != views.rend(); ++view) {
    drop_views_over(context, **view, true, dropped);
    remove_materialized_view(context, **view);
    dropped.insert("materialized view " + (*view)->user_name());
  }
}

}  // namespace

void check_schema(EngineContext& context, const std::string& schema) {
  if (schema.starts_with("coppice")) {
    throw Error(ErrorCode::kRefused, fmt::format("schema \"{}\" is kept by Coppice itself", schema),
                "make a schema of your own: CREATE SCHEMA name");
  }
  if (context.catalog.has_schema(schema)) return;
  throw Error(ErrorCode::kNotFound, fmt::format("schema \"{}\" does not exist", schema),
              did_you_mean(schema, context.catalog.all_schemas()).empty()
                  ? fmt::format("create it: CREATE SCHEMA {}", sql::quote_identifier(schema))
                  : did_you_mean(schema, context.catalog.all_schemas()));
}

void drop_views_over(EngineContext& context, const TableInfo& table, bool cascade,
                     std::set<std::string>& dropped) {
  const pg::Result views = context.main.exec_params(
      "WITH ours AS (SELECT to_regclass($1) AS oid UNION ALL SELECT c.oid::regclass FROM pg_class "
      "c "
      "WHERE relnamespace = 'coppice_asof'::regnamespace AND relname ~ ('^' || $2 || '_v\\d+$')) "
      "SELECT quote_ident(d.schema_name) || '.' || quote_ident(d.view_name), max(d.depth) FROM "
      "ours, "
      "LATERAL coppice.dependent_views(ours.oid::text) d GROUP BY 1 ORDER BY 2 DESC, 1",
      {table.user_name(), table.store});
  std::string names;
  for (int row = 0; row < views.rows(); ++row) {
    names += fmt::format("{}view {}", names.empty() ? "" : ", ", views.text(row, 0));
  }
  if (!cascade && !names.empty()) {
    throw Error(ErrorCode::kRefused,
                fmt::format("cannot drop table {} because other objects depend on it: {}",
                            table.user_name(), names),
                "drop them first, or use DROP … CASCADE");
  }
  for (int row = 0; row < views.rows(); ++row) {
    context.main.exec(fmt::format("DROP VIEW {} CASCADE", views.text(row, 0)));
    dropped.insert(fmt::format("view {}", views.text(row, 0)));
  }
}

void drop_relations(EngineContext& context, const TableInfo& table) {
  drop_as_of_views(context, table);
  context.main.exec("DROP VIEW " + table.user_name());
  context.main.exec("DROP VIEW " + table.working_view());
  context.main.exec("DROP TABLE " + table.store_table());
  context.main.exec(fmt::format("DROP FUNCTION IF EXISTS {}_compute()", table.store_table()));
  context.main.exec_params("DELETE FROM coppice.tables WHERE table_id = $1",
                           {std::to_string(table.table_id)});
}

void create_user_view(EngineContext& context, const TableInfo& table) {
  context.main.exec(catalog::user_view(table, false));
  context.main.exec(catalog::user_view_guard(table));
  if (reader_role_exists(context.main)) {
    context.main.exec(fmt::format("GRANT SELECT ON {} TO {}", table.user_name(), kReaderRole));
  }
}

TablePointer create_table_from(EngineContext& context, const sql::QualifiedName& name,
                               const TableDraft& draft, const sql::SourceText& source,
                               std::string_view statement) {
  TableInfo table;
  table.name = {name.schema.empty() ? "public" : name.schema, name.name};
  check_schema(context, table.name.schema);
  if (context.catalog.find_table(name) != nullptr || context.catalog.find_view(name) != nullptr) {
    throw sql::error_at(ErrorCode::kAlreadyExists, source, -1,
                        fmt::format("relation \"{}\" already exists", name.name));
  }
  if (draft.columns.empty()) {
    throw sql::error_at(ErrorCode::kUnsupported, source, -1, "a table needs at least one column");
  }
  // What is wrong with a part of the definition is told at that part.
  const auto at = [&](std::ptrdiff_t location, const auto& define) {
    try {
      define();
    } catch (const pg::ServerError& error) {
      throw sql::placed(ddl_error(error, table, source), source, location);
    } catch (const Error& error) {
      throw sql::placed(error, source, location);
    }
  };
  pg::Transaction transaction(context.main);
  try {
    keep_table(context, table, statement);
    for (const std::string& ddl : catalog::create_store(table)) context.main.exec(ddl);
    for (const ColumnDraft& column : draft.columns) {
      at(column.location, [&] { add_column(context, table, column, 0, "live"); });
    }
    for (std::size_t i = 0; i < draft.columns.size(); ++i) {
      if (!table.columns[i].computed()) continue;
      check_computed_column(context, table, table.columns[i], source, draft.columns[i].location);
    }
    for (const ConstraintDraft& constraint : draft.constraints) {
      at(constraint.location, [&] { add_constraint(context, table, constraint); });
      if (constraint.kind != catalog::ConstraintKind::kPrimaryKey) continue;
      for (catalog::ColumnInfo& column : table.columns) {
        const auto& keys = constraint.columns;
        if (std::find(keys.begin(), keys.end(), column.name) != keys.end()) column.not_null = true;
      }
    }
    for (const catalog::ColumnInfo& column : table.columns) {
      if (column.not_null) context.main.exec(catalog::add_not_null(table, column));
      keep_column(context, table, column, 0, "live");
    }
    context.main.exec(catalog::working_view(table));
    for (const std::string& ddl : catalog::compute_trigger(table)) context.main.exec(ddl);
    create_user_view(context, table);
    transaction.commit();
  } catch (const pg::ServerError& error) {
    throw ddl_error(error, table, source);
  }
  context.forget_catalog();
  return context.catalog.table(table.name);
}

bool create_table(EngineContext& context, sql::Statement& statement, ResultSink& sink) {
  const auto& create = *as<PgQuery__CreateStmt>(statement.node());
  const sql::QualifiedName name = sql::relation_name(*create.relation);
  if (create.if_not_exists && context.catalog.find_table(name) != nullptr) {
    sink.notice(fmt::format("relation \"{}\" already exists, skipping", name.name));
    return false;
  }
  const TableDraft draft = read_create_table(create, statement.source());
  const auto options = sql::options_in(create.n_options, create.options);
  for (const sql::Option& option : options) checked_retention(option, statement.source());
  const TablePointer table =
      create_table_from(context, name, draft, statement.source(), statement.text());
  set_table_options(context, *table, options, false, statement.source());
  return true;
}

void drop_tables(EngineContext& context, sql::Statement& statement, ResultSink& sink) {
  const auto& drop = *as<PgQuery__DropStmt>(statement.node());
  std::vector<TablePointer> tables;
  for (const sql::Node* object : sql::nodes(drop.n_objects, drop.objects)) {
    const sql::QualifiedName name = sql::object_name(object);
    const TablePointer table = context.catalog.find_table(name);
    if (name.schema.starts_with("coppice")) {
      throw Error(ErrorCode::kRefused,
                  fmt::format("\"{}.{}\" is kept by Coppice itself", name.schema, name.name));
    }
    if (table == nullptr) {
      if (context.catalog.find_view(name) != nullptr) {
        throw statement.error(ErrorCode::kRefused, -1, fmt::format("\"{}\" is a view", name.name),
                              "use DROP VIEW");
      }
      if (context.catalog.split_version(name).version) {
        throw statement.error(ErrorCode::kRefused, -1,
                              fmt::format("\"{}\" is an older version of a table", name.name),
                              "versions are removed by: coppice prune TABLE");
      }
      if (!drop.missing_ok) context.catalog.throw_unknown_table(name);
      sink.notice(fmt::format("table \"{}\" does not exist, skipping", name.name));
      continue;
    }
    if (table->view) {
      throw statement.error(ErrorCode::kRefused, -1,
                            fmt::format("\"{}\" is a materialized view", name.name),
                            "use DROP MATERIALIZED VIEW");
    }
    if (std::find(tables.begin(), tables.end(), table) == tables.end()) tables.push_back(table);
  }
  const bool cascade = drop.behavior == PG_QUERY__DROP_BEHAVIOR__DROP_CASCADE;
  std::set<std::string> dropped;
  alter_in_transaction(context, [&] {  // all of them, or none
    dropped.clear();
    for (const TablePointer& table : tables) {
      drop_materialized_over(context, *table, cascade, dropped);
      drop_views_over(context, *table, cascade, dropped);
      drop_one(context, *table, statement.text());
    }
    forget_dropped_views(context);
  });
  for (const std::string& name : dropped) sink.notice("drop cascades to " + name);
  context.forget_catalog();
}

void create_schema(EngineContext& context, sql::Statement& statement, ResultSink& sink) {
  const auto& create = *as<PgQuery__CreateSchemaStmt>(statement.node());
  const std::string name = create.schemaname == nullptr ? "" : create.schemaname;
  if (name.empty() || create.authrole != nullptr || create.n_schema_elts > 0) {
    throw statement.error(ErrorCode::kUnsupported, -1,
                          "CREATE SCHEMA takes a name and nothing else here");
  }
  if (name.starts_with("coppice")) {
    throw statement.error(
        ErrorCode::kRefused, -1,
        fmt::format("schema names that begin with coppice are reserved: \"{}\"", name));
  }
  if (context.catalog.has_schema(name)) {
    if (!create.if_not_exists) {
      throw Error(ErrorCode::kAlreadyExists, fmt::format("schema \"{}\" already exists", name));
    }
    sink.notice(fmt::format("schema \"{}\" already exists, skipping", name));
    return;
  }
  const std::string quoted = sql::quote_identifier(name);
  pg::Transaction transaction(context.main);
  context.main.exec("CREATE SCHEMA " + quoted);
  context.main.exec_params("INSERT INTO coppice.schemas VALUES ($1)", {name});
  if (reader_role_exists(context.main)) {
    context.main.exec(fmt::format("GRANT USAGE ON SCHEMA {} TO {}", quoted, kReaderRole));
  }
  transaction.commit();
}

void drop_schemas(EngineContext& context, sql::Statement& statement, ResultSink& sink) {
  const auto& drop = *as<PgQuery__DropStmt>(statement.node());
  for (const sql::Node* object : sql::nodes(drop.n_objects, drop.objects)) {
    const std::string name = sql::object_name(object).name;
    if (!context.catalog.has_schema(name)) {
      if (!drop.missing_ok) {
        throw Error(ErrorCode::kNotFound, fmt::format("schema \"{}\" does not exist", name),
                    did_you_mean(name, context.catalog.all_schemas()));
      }
      sink.notice(fmt::format("schema \"{}\" does not exist, skipping", name));
      continue;
    }
    for (const sql::QualifiedName& table : context.catalog.all_tables()) {
      if (table.schema != name) continue;
      throw Error(ErrorCode::kRefused,
                  fmt::format("cannot drop schema {} because other objects depend on it: table {}",
                              name, table.text()),
                  "drop its tables first, one by one: each takes its history with it");
    }
    refuse_schema_with_functions(context, name);
    pg::Transaction transaction(context.main);
    context.main.exec("DROP SCHEMA " + sql::quote_identifier(name));
    context.main.exec_params("DELETE FROM coppice.schemas WHERE schema_name = $1", {name});
    transaction.commit();
  }
}

}  // namespace coppice::engine
