#include "engine/row_counts.h"

#include <fmt/core.h>

#include <nlohmann/json.hpp>

#include "base/text.h"

namespace coppice::engine {
namespace {

// What the planner expects a scan of the current rows to give.
std::int64_t estimated_rows(EngineContext& context, const std::string& store) {
  const pg::Result plan = context.main.exec(
      fmt::format("EXPLAIN (FORMAT json) SELECT FROM coppice_store.{} WHERE _to = {}", store,
                  catalog::kCurrentText));
  const nlohmann::json parsed = nlohmann::json::parse(plan.text(0, 0));
  return parsed.at(0).at("Plan").at("Plan Rows").get<std::int64_t>();
}

}  // namespace

std::map<std::int64_t, StoredSize> stored_sizes(EngineContext& context,
                                                std::int64_t counted_bytes) {
  const pg::Result tables = context.main.exec(
      "SELECT table_id, store_name, pg_total_relation_size(c.oid), pg_relation_size(c.oid) "
      "FROM coppice.tables t JOIN pg_class c "
      "ON c.oid = to_regclass('coppice_store.' || t.store_name) ORDER BY 1");
  std::map<std::int64_t, StoredSize> sizes;
  std::vector<std::string> counts;
  for (int row = 0; row < tables.rows(); ++row) {
    StoredSize& size = sizes[tables.integer(row, 0)];
    size.size_bytes = tables.integer(row, 2);
    const std::string store(tables.text(row, 1));
    size.is_estimate = tables.integer(row, 3) > counted_bytes;
    if (size.is_estimate) {
      size.rows = estimated_rows(context, store);
    } else {
      counts.push_back(
          fmt::format("SELECT {}::bigint, count(*) FROM coppice_store.{} WHERE _to = {}",
                      tables.text(row, 0), store, catalog::kCurrentText));
    }
  }
  if (counts.empty()) return sizes;
  const pg::Result counted = context.main.exec(join(counts, " UNION ALL "));
  for (int row = 0; row < counted.rows(); ++row) {
    sizes[counted.integer(row, 0)].rows = counted.integer(row, 1);
  }
  return sizes;
}

}  // namespace coppice::engine
