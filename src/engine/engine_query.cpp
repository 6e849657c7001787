#include "engine/engine_query.h"

#include "sql/read.h"
#include "sql/references.h"

namespace coppice::engine {

bool reads_engine_view(EngineContext& context, sql::Statement& statement) {
  for (const sql::RelationUse& use : sql::collect_relations(statement.node())) {
    const auto view = context.catalog.find_view(sql::relation_name(*use.relation));
    if (view != nullptr && view->uses_engine) return true;
  }
  return false;
}

std::uint64_t run_engine_query(EngineContext&, sql::Statement& statement,
                               const std::vector<pg::Parameter>&, ResultSink&) {
  throw statement.error(ErrorCode::kUnsupported, -1, "engine functions in queries");
}

void explain_engine_query(EngineContext&, sql::Statement& statement,
                          const std::vector<pg::Parameter>&, ResultSink&) {
  throw statement.error(ErrorCode::kUnsupported, -1, "engine functions in queries");
}

void load_engine_query(EngineContext&, const std::string&, const std::vector<std::string>&,
                       const std::vector<std::string>&, sql::Statement& query,
                       const std::vector<pg::Parameter>&) {
  throw query.error(ErrorCode::kUnsupported, -1, "engine functions in queries");
}

}  // namespace coppice::engine
