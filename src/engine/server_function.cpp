#include "engine/server_function.h"

#include <fmt/core.h>

#include "base/text.h"
#include "engine/query.h"
#include "engine/schema_change.h"
#include "engine/statement_tools.h"
#include "exec/binder.h"
#include "sql/deparse.h"
#include "sql/make.h"
#include "sql/read.h"

namespace coppice::engine {
namespace {

using sql::as;

void check_place(EngineContext& context, const sql::QualifiedName& name,
                 const sql::Statement& statement) {
  const std::string schema = name.schema.empty() ? "public" : name.schema;
  if (schema.starts_with("coppice") || schema == "pg_catalog") {
    throw statement.error(ErrorCode::kRefused, 0,
                          fmt::format("schema \"{}\" is not for functions of users", schema),
                          "make the function in public, or in a schema of your own");
  }
  if (!context.catalog.has_schema(schema)) {
    throw statement.error(ErrorCode::kNotFound, 0,
                          fmt::format("schema \"{}\" does not exist", schema),
                          did_you_mean(schema, context.catalog.all_schemas()));
  }
  if (!context.functions.contains({schema, name.name}) &&
      !context.functions.contains({"coppice", name.name})) {
    return;
  }
  throw statement.error(ErrorCode::kAlreadyExists, 0,
                        fmt::format("{} is an engine function", name.name), "choose another name");
}

[[noreturn]] void refuse_engine_call(const sql::Statement& statement) {
  throw statement.error(
      ErrorCode::kUnsupported, 0,
      "an SQL function cannot call an engine function: PostgreSQL runs it, and workers the other",
      "call the engine function in the query or in a computed column");
}

// Bodies in quotes are texts to the parser. One that is not SQL is for PostgreSQL to explain.
void refuse_engine_calls(EngineContext& context, const PgQuery__CreateFunctionStmt& create,
                         const sql::Statement& statement) {
  if (create.sql_body != nullptr &&
      exec::mentions_engine_function(create.sql_body, context.functions)) {
    refuse_engine_call(statement);
  }
  for (sql::Node* const item : sql::nodes(create.n_options, create.options)) {
    const auto& option = *as<PgQuery__DefElem>(item);
    const auto* body = as<PgQuery__List>(option.arg);
    if (std::string_view(option.defname) != "as" || body == nullptr || body->n_items == 0) continue;
    std::vector<sql::Statement> statements;
    try {
      statements = sql::parse(as<PgQuery__String>(body->items[0])->sval);
    } catch (const Error&) {
      continue;
    }
    for (sql::Statement& inner : statements) {
      if (exec::mentions_engine_function(inner.node(), context.functions)) {
        refuse_engine_call(statement);
      }
    }
  }
}

void check_options(const PgQuery__CreateFunctionStmt& create, const sql::Statement& statement) {
  for (sql::Node* const item : sql::nodes(create.n_options, create.options)) {
    const auto& option = *as<PgQuery__DefElem>(item);
    const std::string_view name = option.defname;
    if (name == "security" && sql::option_value(option.arg) != "false") {
      throw statement.error(ErrorCode::kUnsupported, option.location,
                            "SECURITY DEFINER is not supported: who may only read could write",
                            "leave it out: the function has the rights of whoever calls it");
    }
    if (name == "leakproof") {
      throw statement.error(ErrorCode::kUnsupported, option.location, "LEAKPROOF is not supported",
                            "leave it out");
    }
  }
}

// The deparser writes neither CREATE AGGREGATE nor BEGIN ATOMIC: in those, media types need their
// schema.
std::string written(const sql::Statement& statement) {
  try {
    return sql::deparse(statement.node());
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kUnsupported) throw;
    return std::string(statement.text());
  }
}

void run_as_owner(EngineContext& context, sql::Statement& statement) {
  qualify_media_types(sql::message_of(statement.node()), statement.arena());
  const std::string sent = written(statement);
  try {
    alter_in_transaction(context, [&] { context.main.exec(sent); });
  } catch (const pg::ServerError& error) {
    throw query_error(context, error, sent, statement);
  }
}

}  // namespace

void create_server_function(EngineContext& context, sql::Statement& statement, ResultSink&) {
  if (const auto* create = as<PgQuery__CreateFunctionStmt>(statement.node())) {
    check_place(context, sql::qualified_name(create->n_funcname, create->funcname), statement);
    check_options(*create, statement);
    refuse_engine_calls(context, *create, statement);
  } else {
    const auto& define = *as<PgQuery__DefineStmt>(statement.node());
    check_place(context, sql::qualified_name(define.n_defnames, define.defnames), statement);
  }
  run_as_owner(context, statement);
}

void drop_server_function(EngineContext& context, sql::Statement& statement, sql::Node* object,
                          ResultSink& sink) {
  const sql::QualifiedName name = sql::object_name(object);
  const std::string schema = name.schema.empty() ? "public" : name.schema;
  if (schema.starts_with("coppice") || schema == "pg_catalog" ||
      (name.schema.empty() && context.functions.contains({"coppice", name.name}))) {
    throw statement.error(ErrorCode::kRefused, 0,
                          fmt::format("{} is not a function of yours", name.text()));
  }
  auto& drop = *as<PgQuery__DropStmt>(statement.node());
  const pg::Result known = context.main.exec_params(
      "SELECT count(*) FROM pg_proc WHERE proname = $1 AND pronamespace = to_regnamespace($2)",
      {name.name, sql::quote_identifier(schema)});
  if (known.integer(0, 0) == 0) {
    if (!drop.missing_ok) {
      throw statement.error(ErrorCode::kNotFound, 0,
                            fmt::format("function {} does not exist", name.text()),
                            did_you_mean(name.name, context.functions.names()));
    }
    sink.notice(fmt::format("function {} does not exist, skipping", name.text()));
    return;
  }
  sql::make::set_list(statement.arena(), {&object, 1}, drop.n_objects, drop.objects);
  run_as_owner(context, statement);
}

void comment_on_server_function(EngineContext& context, sql::Statement& statement) {
  run_as_owner(context, statement);
}

}  // namespace coppice::engine
