#include "engine/create_function.h"

#include <fmt/core.h>

#include "base/text.h"
#include "config/config.h"
#include "engine/function_code.h"
#include "engine/function_costs.h"
#include "engine/function_pools.h"
#include "engine/function_use.h"
#include "engine/schema_change.h"
#include "engine/schema_text.h"
#include "engine/server_function.h"
#include "engine/service_pools.h"
#include "exec/stubs.h"
#include "sql/read.h"

namespace coppice::engine {
namespace {

using sql::as;

void check_schema(EngineContext& context, const std::string& schema) {
  if (schema.starts_with("coppice")) {
    throw Error(ErrorCode::kRefused, fmt::format("schema \"{}\" is kept by Coppice itself", schema),
                "make the function in public, or in a schema of your own");
  }
  if (context.catalog.has_schema(schema)) return;
  throw Error(ErrorCode::kNotFound, fmt::format("schema \"{}\" does not exist", schema),
              did_you_mean(schema, context.catalog.all_schemas()));
}

// A name means one thing: Coppice finds its functions by name, before PostgreSQL sees the call.
void check_name_is_free(EngineContext& context, const sql::QualifiedName& name) {
  const pg::Result others = context.main.exec_params(
      "SELECT n.nspname FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace "
      "WHERE p.proname = $1 AND (n.nspname = 'pg_catalog' OR n.nspname = $2 AND NOT EXISTS "
      "(SELECT FROM coppice.functions f WHERE f.schema_name = $2 AND f.function_name = $1 "
      "AND f.replaced_at IS NULL))",
      {name.name, name.schema});
  const bool builtin = context.functions.contains({"coppice", name.name});
  if (!builtin && others.rows() == 0) return;
  const bool of_postgresql = !builtin && others.text(0, 0) == "pg_catalog";
  throw Error(ErrorCode::kAlreadyExists,
              builtin         ? fmt::format("{} is an engine function of Coppice", name.name)
              : of_postgresql ? fmt::format("{} is a function of PostgreSQL", name.name)
                              : fmt::format("{} is an SQL function already", shown_name(name)),
              "choose another name");
}

void tell_of_stale_columns(EngineContext& context, const UserFunction& function, ResultSink& sink) {
  for (const StaleColumn& stale : stale_columns(context)) {
    if (stale.function != function.signature.id) continue;
    sink.notice(fmt::format(
        "column {}.{} was computed by version {} of {}; compute it again: coppice recompute {} {}",
        stale.table, stale.column, stale.computed_by, function.signature.name, stale.table,
        stale.column));
  }
}

bool runs_the_same(const UserFunction& a, const UserFunction& b) {
  return a.digest == b.digest && a.words == b.words && a.batched == b.batched &&
         a.signature.result == b.signature.result &&
         python_name(a.source) == python_name(b.source) &&
         a.signature.language == b.signature.language;
}

// What PostgreSQL runs costs nothing that could be counted.
void refuse_price(const PgQuery__CreateFunctionStmt& create, const sql::Statement& statement) {
  for (const sql::Node* const item : sql::nodes(create.n_options, create.options)) {
    const auto& option = *as<PgQuery__DefElem>(item);
    const auto* set = std::string_view(option.defname) == "set"
                          ? as<PgQuery__VariableSetStmt>(option.arg)
                          : nullptr;
    if (set == nullptr || set->name == nullptr) continue;
    const std::string name = lower(set->name);
    if (name != "budget" && !name.ends_with("_price")) continue;
    throw statement.error(
        ErrorCode::kUsage, option.location,
        fmt::format("SET {} has no meaning for LANGUAGE {}", name, function_language(create)),
        "PostgreSQL runs it; prices and budgets are for LANGUAGE python, command and http");
  }
}

void tell_of_spent_budget(EngineContext& context, const UserFunction& function, ResultSink& sink) {
  const std::optional<Money> budget = function_costs(function).budget;
  if (!budget) return;
  const pg::Result row = context.main.exec_params(
      "SELECT money FROM coppice.spent WHERE scope = 'function ' || $1", {function.signature.id});
  if (row.rows() == 0) return;
  const Money spent = Money::read(row.text(0, 0));
  if (spent < *budget) return;
  sink.notice(fmt::format("{} of its budget of {} {} are spent already: no call of {} will be made",
                          spent.shown(), budget->shown(), context.spending().currency(),
                          function.signature.name));
}

UserFunction make_function(EngineContext& context, const FunctionDraft& draft) {
  UserFunction function;
  function.signature = draft.signature;
  function.source = draft.source;
  function.settings = draft.settings;
  if (function.signature.language == FunctionLanguage::kHttp) {
    check_service_function(context.config, function);
    function.digest = service_digest(function.source, function.settings);
    return function;
  }
  const FunctionCode code = find_code(draft);
  function.digest = code.digest;
  function.words = code.words;
  if (!code.file.empty()) function.source_file = code.file.string();
  keep_code(context.config.home(), code, function_worker_options(context.config).account);
  function.batched = examine_function(context.config, function).batched;
  return function;
}

void create_engine_function(EngineContext& context, const FunctionDraft& draft,
                            sql::Statement& statement, ResultSink& sink) {
  const Signature& signature = draft.signature;
  const sql::QualifiedName name{signature.schema, signature.name};
  check_schema(context, name.schema);
  check_name_is_free(context, name);
  const UserFunction* const known = context.user_functions.find(signature.id);
  if (known != nullptr && !draft.replace) {
    throw Error(ErrorCode::kAlreadyExists,
                fmt::format("function {} already exists", exec::printed_signature(signature)),
                "to give it new code: CREATE OR REPLACE FUNCTION");
  }
  UserFunction function = make_function(context, draft);
  if (known != nullptr) function.comment = known->comment;
  const bool same = known != nullptr && runs_the_same(*known, function);
  try {
    alter_in_transaction(context, [&] {
      context.main.exec(exec::user_stubs_sql(signature, known != nullptr));
      keep_function(context.main, function);
      if (same) carry_over_use(context, signature.id, function.version);
    });
  } catch (const pg::ServerError& error) {
    throw statement.error(
        error.code(), 0, error.message(),
        known != nullptr ? "drop it first: DROP FUNCTION " + function_reference(known->signature)
                         : error.hint());
  }
  context.refresh_functions();
  tell_of_stale_columns(context, function, sink);
  tell_of_spent_budget(context, function, sink);
}

// The functions of users that an item of DROP or COMMENT names.
std::vector<const UserFunction*> functions_named(EngineContext& context, const sql::Node* object,
                                                 const sql::Statement& statement) {
  const auto& named = *as<PgQuery__ObjectWithArgs>(object);
  const std::vector<const UserFunction*> overloads =
      context.user_functions.named(sql::object_name(object));
  if (overloads.empty()) return {};
  const std::string name = shown_name(overloads[0]->name());
  if (named.args_unspecified) {
    if (overloads.size() == 1) return overloads;
    throw statement.error(ErrorCode::kUsage, 0,
                          fmt::format("function name \"{}\" is not unique", name),
                          "name its arguments: " + function_reference(overloads[0]->signature));
  }
  std::vector<std::string> types;
  for (const sql::Node* const item : sql::nodes(named.n_objargs, named.objargs)) {
    const auto* type = as<PgQuery__TypeName>(item);
    if (type == nullptr) continue;
    const std::string text = sql::type_text(*type);
    const std::optional<ValueType> known = worker_type(text);
    types.push_back(known ? sql_type_name(*known) : text);
  }
  for (const UserFunction* const function : overloads) {
    std::vector<std::string> own;
    for (const Parameter& parameter : function->signature.parameters) {
      own.push_back(sql_type_name(parameter.type));
    }
    if (own == types) return {function};
  }
  throw statement.error(ErrorCode::kNotFound, 0,
                        fmt::format("function {}({}) does not exist", name, join(types, ", ")),
                        "there is " + function_reference(overloads[0]->signature));
}

void refuse_while_used(EngineContext& context, const sql::QualifiedName& name,
                       const std::string& what) {
  const std::vector<std::string> users = users_of_function(context, name);
  if (users.empty()) return;
  throw Error(
      ErrorCode::kRefused,
      fmt::format("cannot drop {} because other objects use it: {}", what, join(users, ", ")),
      "drop them first, or give them another expression");
}

void drop_engine_function(EngineContext& context, const UserFunction& function) {
  // Of several overloads the one in use is not known by its name; then none goes.
  refuse_while_used(context, function.name(), "function " + function_reference(function.signature));
  const Signature signature = function.signature;
  alter_in_transaction(context, [&] {
    context.main.exec(exec::drop_user_stubs_sql(signature));
    forget_function(context.main, signature.id);
  });
  context.refresh_functions();
}

}  // namespace

void create_function(EngineContext& context, sql::Statement& statement, ResultSink& sink) {
  const auto* create = as<PgQuery__CreateFunctionStmt>(statement.node());
  try {
    std::optional<FunctionDraft> draft;
    if (create != nullptr) draft = read_function(*create, statement);
    if (!draft) {
      if (create != nullptr) refuse_price(*create, statement);
      return create_server_function(context, statement, sink);
    }
    create_engine_function(context, *draft, statement, sink);
  } catch (const pg::ServerError&) {
    throw;
  } catch (const Error& error) {
    throw sql::placed(error, statement.source(), 0);
  }
}

void drop_functions(EngineContext& context, sql::Statement& statement, ResultSink& sink) {
  const auto& drop = *as<PgQuery__DropStmt>(statement.node());
  if (drop.behavior == PG_QUERY__DROP_BEHAVIOR__DROP_CASCADE) {
    throw statement.error(ErrorCode::kUnsupported, 0, "DROP FUNCTION … CASCADE is not supported",
                          "drop the columns and views that use it first");
  }
  for (sql::Node* const object : sql::nodes(drop.n_objects, drop.objects)) {
    const auto functions = functions_named(context, object, statement);
    if (!functions.empty()) {
      drop_engine_function(context, *functions.front());
      continue;
    }
    refuse_while_used(context, sql::object_name(object),
                      "function " + sql::object_name(object).text());
    drop_server_function(context, statement, object, sink);
  }
}

void comment_on_function(EngineContext& context, sql::Statement& statement) {
  const auto& node = *as<PgQuery__CommentStmt>(statement.node());
  const auto functions = functions_named(context, node.object, statement);
  if (functions.empty()) return comment_on_server_function(context, statement);
  std::optional<std::string> comment;
  if (node.comment != nullptr && *node.comment != '\0') comment = node.comment;
  comment_on_function(context.main, functions.front()->signature.id, comment);
  context.refresh_functions();
}

void refuse_schema_with_functions(EngineContext& context, const std::string& schema) {
  for (const UserFunction& function : context.user_functions.all()) {
    if (function.signature.schema != schema) continue;
    throw Error(ErrorCode::kRefused,
                fmt::format("cannot drop schema {} because other objects depend on it: function {}",
                            schema, function_reference(function.signature)),
                "drop its functions first");
  }
}

}  // namespace coppice::engine
