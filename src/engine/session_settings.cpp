#include "engine/session_settings.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/text.h"
#include "engine/emit.h"
#include "engine/query.h"
#include "pg/row_stream.h"
#include "sql/deparse.h"
#include "sql/read.h"

namespace coppice::engine {
namespace {

using sql::as;

// What changes how a query runs, not what it means or may do.
const std::vector<std::string>& allowed_settings() {
  static const std::vector<std::string> names = {"timezone",
                                                 "statement_timeout",
                                                 "work_mem",
                                                 "application_name",
                                                 "enable_seqscan",
                                                 "enable_indexscan",
                                                 "enable_hashjoin",
                                                 "enable_mergejoin",
                                                 "enable_nestloop",
                                                 "max_parallel_workers_per_gather",
                                                 "jit",
                                                 "random_page_cost",
                                                 "effective_cache_size",
                                                 "seed",
                                                 "default_text_search_config"};
  return names;
}

// RESET ALL: of those that may be set; the others are the engine's.
void reset_session(EngineContext& context) {
  for (const std::string& name : allowed_settings()) {
    if (name == "seed") continue;  // has no value to go back to
    context.reader().exec("RESET " + name);
    context.main.exec("RESET " + name);
  }
  context.spending().limit_statements(std::nullopt);
}

// What each of the statements that follow may cost: the engine's own, no setting of the server.
constexpr std::string_view kBudget = "coppice.budget";

void set_budget(EngineContext& context, sql::Statement& statement,
                const PgQuery__VariableSetStmt& set) {
  if (set.kind != PG_QUERY__VARIABLE_SET_KIND__VAR_SET_VALUE || set.n_args != 1) {
    return context.spending().limit_statements(std::nullopt);
  }
  const sql::Node* const value = set.args[0];
  const auto* constant = as<PgQuery__AConst>(value);
  std::string text = sql::deparse_expression(value);
  if (constant != nullptr && constant->val_case == PG_QUERY__A__CONST__VAL_FVAL) {
    text = constant->fval->fval;
  } else if (const auto given = sql::string_value(value)) {
    text = *given;
  }
  try {
    context.spending().limit_statements(budget_amount(text));
  } catch (const Error& error) {
    throw statement.error(error.code(), -1, error.message(), error.hint());
  }
}

}  // namespace

void set_session(EngineContext& context, sql::Statement& statement) {
  const auto& set = *as<PgQuery__VariableSetStmt>(statement.node());
  if (set.kind == PG_QUERY__VARIABLE_SET_KIND__VAR_RESET_ALL) return reset_session(context);
  const std::string name = set.name == nullptr ? "" : lower(set.name);
  if (name == kBudget) return set_budget(context, statement, set);
  const auto& allowed = allowed_settings();
  if (std::find(allowed.begin(), allowed.end(), name) == allowed.end()) {
    throw statement.error(
        ErrorCode::kUnsupported, -1,
        name == "search_path" ? "search_path is fixed: unqualified names live in public"
                              : fmt::format("setting \"{}\" cannot be changed here", name),
        name == "search_path" ? "write schema.table" : did_you_mean(name, allowed));
  }
  const std::string text(statement.text());
  try {
    context.reader().exec(text);
    context.main.exec(text);
  } catch (const pg::ServerError& error) {
    throw query_error(context, error, text, statement);
  }
}

void show_session(EngineContext& context, sql::Statement& statement, ResultSink& sink) {
  const auto* show = as<PgQuery__VariableShowStmt>(statement.node());
  if (show != nullptr && show->name != nullptr && lower(show->name) == kBudget) {
    const std::optional<Money>& limit = context.spending().statement_limit();
    RowsOut rows(sink, {{std::string(kBudget), "numeric"}});
    rows.row({limit ? std::optional(limit->text()) : std::nullopt});
    return rows.end();
  }
  const std::string text(statement.text());
  try {
    emit_result(context, context.reader().exec(text), sink);
  } catch (const pg::ServerError& error) {
    throw query_error(context, error, text, statement);
  }
}

}  // namespace coppice::engine
