#include "engine/prune_floor.h"

#include <fmt/core.h>

#include <algorithm>

namespace coppice::engine {
namespace {

using catalog::TableInfo;

// What retention alone asks for: the last `keep` versions, or the one that was current `keep` ago.
constexpr const char* kByCount =
    "SELECT greatest(t.floor_version, t.version + 1 - $2::bigint) FROM coppice.trees t "
    "WHERE t.tree_id = $1";
constexpr const char* kByAge =
    "SELECT greatest(t.floor_version, coalesce((SELECT max(v.version) FROM coppice.versions v "
    "WHERE v.tree_id = $1 AND v.published_at <= clock_timestamp() - $2::interval), 0)) "
    "FROM coppice.trees t WHERE t.tree_id = $1";

// What stands in the way, lowest first: (version, who).
constexpr const char* kHolders =
    "SELECT h.version, h.who FROM ("
    "SELECT s.version, 'snapshot ' || s.name FROM coppice.snapshots s WHERE s.tree_id = $1 "
    "UNION ALL "
    "SELECT p.version, p.who FROM coppice.pins p WHERE p.tree_id = $1 "
    "AND p.expires_at > clock_timestamp() "
    "UNION ALL "
    "SELECT coalesce((SELECT max(v.version) FROM coppice.versions v WHERE v.tree_id = $1 "
    "AND v.published_at <= o.begun_at), 0), "
    "format('operation %s-%s, which is %s', o.tree_id, o.op_id, o.state) "
    "FROM coppice.operations o WHERE o.tree_id = $1 "
    "AND o.state IN ('running', 'interrupted', 'paused') "
    "UNION ALL "
    "SELECT substring(c.relname FROM '_v(\\d+)$')::bigint, "
    "format('view %I.%I', d.schema_name, d.view_name) "
    "FROM coppice.tables t JOIN pg_class c ON c.relnamespace = 'coppice_asof'::regnamespace "
    "AND c.relname ~ ('^' || t.store_name || '_v\\d+$') "
    "CROSS JOIN LATERAL coppice.dependent_views(format('coppice_asof.%I', c.relname)) d "
    "WHERE t.tree_id = $1) AS h(version, who) ORDER BY h.version, h.who LIMIT 1";

std::int64_t by_retention(EngineContext& context, const TableInfo& table, const std::string& keep) {
  const bool is_count = keep.find_first_not_of("0123456789") == std::string::npos;
  try {
    return context.main
        .exec_cached(is_count ? kByCount : kByAge, {std::to_string(table.tree_id), keep})
        .integer(0, 0);
  } catch (const pg::ServerError& error) {
    if (!error.sqlstate().starts_with("22")) throw;
    throw Error(ErrorCode::kUsage, fmt::format("\"{}\" is too long an age", keep),
                "to keep everything, do not prune");
  }
}

}  // namespace

PruneFloor find_prune_floor(EngineContext& context, const TableInfo& table,
                            const std::string& keep) {
  context.log.settle_abandoned();
  PruneFloor floor{by_retention(context, table, keep), {}};
  const pg::Result holder = context.main.exec_cached(kHolders, {std::to_string(table.tree_id)});
  if (holder.rows() == 0 || holder.integer(0, 0) >= floor.version) return floor;
  const pg::Result present =
      context.main.exec_cached("SELECT floor_version FROM coppice.trees WHERE tree_id = $1",
                               {std::to_string(table.tree_id)});
  floor.version = std::max(holder.integer(0, 0), present.integer(0, 0));
  floor.held_by = holder.text(0, 1);
  return floor;
}

}  // namespace coppice::engine
