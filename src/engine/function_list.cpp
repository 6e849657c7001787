#include "engine/function_list.h"

#include <fmt/core.h>

#include "base/text.h"
#include "engine/emit.h"
#include "engine/function_code.h"
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

void list_function(RowsOut& rows, const Signature& signature,
                   const std::optional<std::string>& version,
                   const std::optional<std::string>& source,
                   const std::optional<std::string>& state) {
  rows.row({exec::printed_signature(signature), sql_type_name(signature.result),
            volatility_words(signature.volatility), std::string(language_name(signature.language)),
            version, source, state, signature.summary});
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
                      {"summary", "text"}});
  const std::vector<StaleColumn> columns = stale_columns(context);
  for (const UserFunction& function : context.user_functions.all()) {
    list_function(rows, function.signature, std::to_string(function.version), function.source,
                  state_of(function, columns));
  }
  for (const Signature& signature : builtin_signatures()) {
    list_function(rows, signature, std::nullopt, std::nullopt, std::nullopt);
  }
  rows.end();
}

}  // namespace coppice::engine
