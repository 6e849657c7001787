#include "engine/session_settings.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/text.h"
#include "engine/emit.h"
#include "engine/query.h"
#include "pg/row_stream.h"

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

}  // namespace

void set_session(EngineContext& context, sql::Statement& statement) {
  const auto& set = *as<PgQuery__VariableSetStmt>(statement.node());
  const std::string name = set.name == nullptr ? "" : lower(set.name);
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
  const std::string text(statement.text());
  try {
    emit_result(context, context.reader().exec(text), sink);
  } catch (const pg::ServerError& error) {
    throw query_error(context, error, text, statement);
  }
}

}  // namespace coppice::engine
