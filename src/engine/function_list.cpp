#include "engine/function_list.h"

#include <fmt/core.h>

#include <map>

#include "base/text.h"
#include "engine/emit.h"
#include "engine/function_code.h"
#include "engine/function_costs.h"
#include "engine/function_draft.h"
#include "engine/function_use.h"
#include "exec/functions.h"
#include "workers/signature.h"

namespace coppice::engine {
namespace {

// What is stale about it: nullopt when nothing is.
std::optional<std::string> state_of(const UserFunction& function,
                                    const std::vector<StaleColumn>& columns) {
  std::vector<std::string> parts;
  if (const auto changed = staleness(function)) parts.push_back(*changed);
  for (const StaleColumn& stale : columns) {
    if (stale.function != function.signature.id) continue;
    parts.push_back(
        fmt::format("{}.{} is of version {}", stale.table, stale.column, stale.computed_by));
  }
  if (parts.empty()) return std::nullopt;
  return "stale: " + join(parts, "; ");
}

// "0.002 a call", "0.15 a million tokens in, 0.6 out"; nullopt: it has none.
std::optional<std::string> price_text(const Prices& prices) {
  std::vector<std::string> parts;
  if (!prices.call.is_zero()) parts.push_back(prices.call.text() + " a call");
  if (!prices.input.is_zero()) parts.push_back(prices.input.text() + " a million tokens in");
  if (!prices.output.is_zero()) parts.push_back(prices.output.text() + " a million tokens out");
  if (parts.empty()) return std::nullopt;
  return join(parts, ", ");
}

std::map<std::string, std::string> spent_by_functions(EngineContext& context) {
  const pg::Result rows = context.main.exec(
      "SELECT substr(scope, 10), trim_scale(money) FROM coppice.spent "
      "WHERE scope LIKE 'function %'");
  std::map<std::string, std::string> spent;
  for (int row = 0; row < rows.rows(); ++row) spent.emplace(rows.text(row, 0), rows.text(row, 1));
  return spent;
}

}  // namespace

void list_functions(EngineContext& context, ResultSink& sink) {
  RowsOut rows(sink, {{"function", "text"},
                      {"result", "text"},
                      {"volatility", "text"},
                      {"language", "text"},
                      {"version", "bigint"},
                      {"source", "text"},
                      {"state", "text"},
                      {"summary", "text"},
                      {"price", "text"},
                      {"budget", "numeric"},
                      {"spent", "numeric"}});
  const std::vector<StaleColumn> columns = stale_columns(context);
  const std::map<std::string, std::string> spent = spent_by_functions(context);
  for (const UserFunction& function : context.user_functions.all()) {
    const Signature& signature = function.signature;
    const FunctionCosts costs = function_costs(function);
    const auto found = spent.find(signature.id);
    rows.row({exec::printed_signature(signature), sql_type_name(signature.result),
              volatility_words(signature.volatility),
              std::string(language_name(signature.language)), std::to_string(function.version),
              function.source, state_of(function, columns), signature.summary,
              price_text(costs.prices),
              costs.budget ? std::optional(costs.budget->text()) : std::nullopt,
              found == spent.end() ? std::nullopt : std::optional(found->second)});
  }
  for (const Signature& signature : builtin_signatures()) {
    rows.row({exec::printed_signature(signature),
              sql_type_name(signature.result),
              volatility_words(signature.volatility),
              std::string(language_name(signature.language)),
              {},
              {},
              {},
              signature.summary,
              {},
              {},
              {}});
  }
  rows.end();
}

}  // namespace coppice::engine
