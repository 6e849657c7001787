#include "engine/schema_functions.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/text.h"
#include "engine/function_draft.h"
#include "engine/schema_text.h"
#include "sql/deparse.h"
#include "sql/make.h"
#include "sql/read.h"
#include "sql/references.h"

namespace coppice::engine {
namespace {

using sql::as;
using sql::Node;

bool is_input(const PgQuery__FunctionParameter& parameter) {
  return parameter.mode != PG_QUERY__FUNCTION_PARAMETER_MODE__FUNC_PARAM_OUT &&
         parameter.mode != PG_QUERY__FUNCTION_PARAMETER_MODE__FUNC_PARAM_TABLE;
}

// Whether it can be made only once the tables that it reads are there.
bool reads_relations(const PgQuery__CreateFunctionStmt& create) {
  if (create.sql_body != nullptr && !sql::collect_relations(create.sql_body).empty()) return true;
  if (function_language(create) != "sql") return false;
  for (Node* const item : sql::nodes(create.n_options, create.options)) {
    const auto& option = *as<PgQuery__DefElem>(item);
    const auto* body = as<PgQuery__List>(option.arg);
    if (std::string_view(option.defname) != "as" || body == nullptr || body->n_items == 0) continue;
    try {
      for (sql::Statement& inner : sql::parse(as<PgQuery__String>(body->items[0])->sval)) {
        if (!sql::collect_relations(inner.node()).empty()) return true;
      }
    } catch (const Error&) {
      return false;
    }
  }
  return false;
}

// BEGIN ATOMIC is not written by the deparser: then it is the user's text.
std::string written(const sql::Statement& statement) {
  constexpr std::string_view kCreate = "CREATE FUNCTION";
  try {
    return sql::deparse(statement.node());
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kUnsupported) throw;
    std::string text(statement.text());
    if (starts_with_ignoring_case(text, kCreate)) text.insert(6, " OR REPLACE");
    return text;
  }
}

// In the form that two ways of writing the same function share: as far as the parser tells.
FunctionModel server_function_model(sql::Statement& statement,
                                    PgQuery__CreateFunctionStmt& create) {
  FunctionModel model;
  model.name = sql::qualified_name(create.n_funcname, create.funcname);
  if (model.name.schema.empty()) model.name.schema = "public";
  model.after_views = reads_relations(create);
  std::vector<std::string> types;
  for (Node* const item : sql::nodes(create.n_parameters, create.parameters)) {
    const auto& parameter = *as<PgQuery__FunctionParameter>(item);
    if (is_input(parameter)) types.push_back(sql::type_text(*parameter.arg_type));
  }
  model.id = fmt::format("{}.{}({})", model.name.schema, model.name.name, join(types, ", "));
  model.reference = fmt::format("{}({})", shown_name(model.name), join(types, ", "));
  create.replace = 1;
  std::vector<Node*> name;
  if (model.name.schema != "public") {
    name.push_back(sql::make::name(statement.arena(), model.name.schema));
  }
  name.push_back(sql::make::name(statement.arena(), model.name.name));
  sql::make::set_list(statement.arena(), name, create.n_funcname, create.funcname);
  std::stable_sort(create.options, create.options + create.n_options,
                   [](const Node* a, const Node* b) {
                     return std::string_view(as<PgQuery__DefElem>(a)->defname) <
                            std::string_view(as<PgQuery__DefElem>(b)->defname);
                   });
  model.text = written(statement);
  return model;
}

FunctionModel engine_function_model(FunctionDraft draft) {
  FunctionModel model;
  model.name = {draft.signature.schema, draft.signature.name};
  model.id = draft.signature.id;
  model.reference = function_reference(draft.signature);
  draft.replace = true;
  model.text = create_function_text(draft);
  return model;
}

}  // namespace

FunctionModel function_model(sql::Statement& statement) {
  auto& create = *as<PgQuery__CreateFunctionStmt>(statement.node());
  if (auto draft = read_function(create, statement))
    return engine_function_model(std::move(*draft));
  return server_function_model(statement, create);
}

std::vector<FunctionModel> functions_in_catalog(EngineContext& context) {
  std::vector<FunctionModel> models;
  for (const UserFunction& function : context.user_functions.all()) {
    FunctionModel model =
        engine_function_model({function.signature, function.source, function.settings, true});
    model.comment = function.comment;
    models.push_back(std::move(model));
  }
  const pg::Result rows = context.main.exec(
      "SELECT pg_get_functiondef(p.oid), obj_description(p.oid, 'pg_proc') FROM pg_proc p "
      "JOIN pg_namespace n ON n.oid = p.pronamespace JOIN pg_language l ON l.oid = p.prolang "
      "JOIN coppice.schemas s ON s.schema_name = n.nspname "
      "WHERE l.lanname IN ('sql', 'plpgsql') AND p.prokind = 'f' "
      "AND pg_has_role(p.proowner, 'MEMBER') AND NOT EXISTS (SELECT FROM pg_depend d "
      "WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e') "
      "AND NOT EXISTS (SELECT FROM coppice.functions f WHERE f.schema_name = n.nspname "
      "AND f.function_name = p.proname AND f.replaced_at IS NULL) "
      "ORDER BY n.nspname, p.proname, p.oid");
  for (int row = 0; row < rows.rows(); ++row) {
    sql::Statement statement = sql::parse_statement(rows.text(row, 0));
    FunctionModel model = function_model(statement);
    if (const auto comment = rows.value(row, 1)) model.comment = std::string(*comment);
    models.push_back(std::move(model));
  }
  return models;
}

}  // namespace coppice::engine
