#include "engine/prune.h"

#include <fmt/core.h>

#include "base/clock.h"
#include "base/text.h"
#include "config/config.h"
#include "config/settings.h"
#include "engine/emit.h"
#include "engine/named_table.h"
#include "engine/prune_floor.h"
#include "engine/row_changes.h"
#include "engine/schema_change.h"
#include "engine/view_stages.h"
#include "pg/retry.h"
#include "pg/transaction.h"

namespace coppice::engine {
namespace {

using catalog::TableInfo;
using catalog::TablePointer;
using catalog::VersionInfo;

constexpr int kRowsPerBatch = 10'000;

struct Pruned {
  std::int64_t versions = 0;
  std::int64_t rows = 0;
  std::int64_t bytes = 0;
  std::int64_t columns = 0;
};

std::string what_to_keep(EngineContext& context, const TableInfo& table,
                         const std::optional<std::string>& keep) {
  if (keep) {
    if (is_retention(*keep)) return *keep;
    throw Error(ErrorCode::kUsage,
                fmt::format("\"{}\" is neither a number of versions nor an age", *keep),
                "write a count (10) or an age (7 days, 3 months)");
  }
  const pg::Result row = context.main.exec_cached(
      "SELECT retention FROM coppice.trees WHERE tree_id = $1", {std::to_string(table.tree_id)});
  if (row.rows() > 0 && !row.is_null(0, 0)) return std::string(row.text(0, 0));
  const std::string& setting = context.config.text("retention.keep");
  if (!setting.empty()) return setting;
  throw Error(ErrorCode::kUsage,
              fmt::format("nothing says how much of {} to keep", table.user_name()),
              fmt::format("say it here: --keep '30 days'; for the table: ALTER TABLE {} SET "
                          "(retention = '30 days'); for all: retention.keep in config.toml",
                          table.user_name()));
}

// Raises the floor; readers of older versions are told so from now on.
PruneFloor raise_floor(EngineContext& context, const TableInfo& table, const std::string& keep) {
  return pg::retry_conflicts(SystemClock(), [&] {
    pg::Transaction transaction(context.main);
    const std::string tree = std::to_string(table.tree_id);
    context.main.exec_cached("SELECT FROM coppice.trees WHERE tree_id = $1 FOR UPDATE", {tree});
    const PruneFloor floor = find_prune_floor(context, table, keep);
    context.main.exec_cached(
        "UPDATE coppice.trees SET floor_version = $2 WHERE tree_id = $1 AND floor_version < $2",
        {tree, std::to_string(floor.version)});
    transaction.commit();
    return floor;
  });
}

// The size of a row: its header and line pointer, and each value as it is stored.
std::string row_bytes(EngineContext& context, const TableInfo& table) {
  const pg::Result columns = context.main.exec_params(
      "SELECT quote_ident(attname) FROM pg_attribute WHERE attrelid = $1::regclass AND attnum > 0 "
      "AND NOT attisdropped",
      {table.store_table()});
  std::string sum = "28";
  for (int row = 0; row < columns.rows(); ++row) {
    sum += fmt::format(" + coalesce(pg_column_size(t.{}), 0)", columns.text(row, 0));
  }
  return sum;
}

void remove_rows(EngineContext& context, const TableInfo& table, const VersionInfo& floor,
                 Pruned& pruned, ResultSink& sink) {
  const std::string statement = fmt::format(
      "WITH gone AS (DELETE FROM {0} t WHERE t.ctid = ANY (ARRAY(SELECT ctid FROM {0} WHERE {1} "
      "AND _to >= $1 ORDER BY _to LIMIT {2})) RETURNING t._to, {3} AS bytes) "
      "SELECT count(*), coalesce(sum(bytes), 0), coalesce(max(_to), 0) FROM gone",
      table.store_table(), invisible_from(floor), kRowsPerBatch, row_bytes(context, table));
  std::string from = "0";  // what is below was removed: its index entries need not be walked again
  for (;;) {
    context.check_stop();
    const pg::Result gone = context.main.exec_params(statement, {from});
    if (gone.integer(0, 0) == 0) return;
    pruned.rows += gone.integer(0, 0);
    pruned.bytes += gone.integer(0, 1);
    from = gone.text(0, 2);
    sink.progress({"pruning " + table.user_name(), static_cast<std::uint64_t>(pruned.rows), 0});
  }
}

void count_rows(EngineContext& context, const TableInfo& table, const VersionInfo& floor,
                Pruned& pruned) {
  const pg::Result rows = context.main.exec(
      fmt::format("SELECT count(*), coalesce(sum({}), 0) FROM {} t WHERE {}",
                  row_bytes(context, table), table.store_table(), invisible_from(floor)));
  pruned.rows += rows.integer(0, 0);
  pruned.bytes += rows.integer(0, 1);
}

// Physical columns that only versions below the floor have.
std::vector<std::string> unmapped_columns(EngineContext& context, const TableInfo& table,
                                          const VersionInfo& floor) {
  const pg::Result rows = context.main.exec_cached(
      "SELECT DISTINCT c.physical FROM coppice.columns c WHERE c.table_id = $1 "
      "AND c.to_version <= $2 AND NOT EXISTS (SELECT FROM coppice.columns k "
      "WHERE k.table_id = $1 AND k.physical = c.physical "
      "AND (k.to_version IS NULL OR k.to_version > $2))",
      {std::to_string(table.table_id), std::to_string(floor.version)});
  std::vector<std::string> columns;
  for (int row = 0; row < rows.rows(); ++row) columns.emplace_back(rows.text(row, 0));
  return columns;
}

void drop_old_views(EngineContext& context, const TableInfo& table, const VersionInfo& floor) {
  const pg::Result views = context.main.exec_params(
      "SELECT format('coppice_asof.%I', relname) FROM pg_class "
      "WHERE relnamespace = 'coppice_asof'::regnamespace AND relname ~ ('^' || $1 || '_v\\d+$') "
      "AND substring(relname FROM '_v(\\d+)$')::bigint < $2::bigint",
      {table.store, std::to_string(floor.version)});
  for (int row = 0; row < views.rows(); ++row) {
    context.main.exec(fmt::format("DROP VIEW {}", views.text(row, 0)));
  }
}

void remove_columns(EngineContext& context, const TableInfo& table, const VersionInfo& floor,
                    Pruned& pruned) {
  std::size_t dropped = 0;
  alter_in_transaction(context, [&] {
    const std::vector<std::string> columns = unmapped_columns(context, table, floor);
    context.main.exec_cached("DELETE FROM coppice.columns WHERE table_id = $1 AND to_version <= $2",
                             {std::to_string(table.table_id), std::to_string(floor.version)});
    dropped = columns.size();
    if (columns.empty()) return;
    // With the lock nobody makes a view over the table before it is changed.
    context.main.exec(fmt::format("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE", table.store_table()));
    drop_old_views(context, table, floor);
    std::string drops;
    for (const std::string& column : columns) {
      drops += fmt::format("{}DROP COLUMN IF EXISTS {}", drops.empty() ? "" : ", ", column);
    }
    context.main.exec(fmt::format("ALTER TABLE {} {}", table.store_table(), drops));
    context.main.exec_params(
        "DELETE FROM coppice.conversions WHERE table_id = $1 AND physical = ANY ($2::text[])",
        {std::to_string(table.table_id), "{" + join(columns, ",") + "}"});
  });
  pruned.columns += static_cast<std::int64_t>(dropped);
  context.forget_catalog();
}

// Errors of rows of which no version is left.
void remove_errors(EngineContext& context, const TableInfo& table) {
  const std::string id = std::to_string(table.table_id);
  const pg::Result any = context.main.exec_cached(
      "SELECT EXISTS (SELECT FROM coppice.cell_errors WHERE table_id = $1)", {id});
  if (!any.boolean(0, 0)) return;
  context.main.exec_params(
      fmt::format("DELETE FROM coppice.cell_errors e USING coppice.operations o "
                  "WHERE e.table_id = $1 AND o.tree_id = {} AND o.op_id = e.op_id "
                  "AND o.state NOT IN ('running', 'interrupted', 'paused') "
                  "AND NOT EXISTS (SELECT FROM {} t WHERE t._row = e.row_id)",
                  table.tree_id, table.store_table()),
      {id});
}

std::int64_t count_versions(EngineContext& context, const TableInfo& table,
                            const VersionInfo& floor) {
  return context.main
      .exec_cached("SELECT count(*) FROM coppice.versions WHERE tree_id = $1 AND version < $2",
                   {std::to_string(table.tree_id), std::to_string(floor.version)})
      .integer(0, 0);
}

// The table and the materialized views over it: they have one floor.
std::vector<TablePointer> tables_of(EngineContext& context, const TableInfo& table) {
  std::vector<TablePointer> tables = views_over(context, table);
  tables.insert(tables.begin(), context.catalog.table(table.name));
  return tables;
}

// Each step may be repeated, so a prune that was stopped goes on with the next one.
Pruned remove_below(EngineContext& context, const TableInfo& table, const VersionInfo& floor,
                    ResultSink& sink) {
  Pruned pruned;
  pruned.versions = count_versions(context, table, floor);
  for (const TablePointer& one : tables_of(context, table)) {
    alter_in_transaction(context, [&] { drop_old_views(context, *one, floor); });
    remove_rows(context, *one, floor, pruned, sink);
    remove_columns(context, *one, floor, pruned);
    remove_errors(context, *one);
  }
  context.main.exec_cached("DELETE FROM coppice.versions WHERE tree_id = $1 AND version < $2",
                           {std::to_string(table.tree_id), std::to_string(floor.version)});
  return pruned;
}

Pruned count_below(EngineContext& context, const TableInfo& table, const VersionInfo& floor) {
  Pruned pruned;
  pruned.versions = count_versions(context, table, floor);
  for (const TablePointer& one : tables_of(context, table)) {
    count_rows(context, *one, floor, pruned);
    pruned.columns += static_cast<std::int64_t>(unmapped_columns(context, *one, floor).size());
  }
  return pruned;
}

void report(const VersionInfo& floor, const Pruned& pruned, ResultSink& sink) {
  RowsOut out(sink, {{"floor_version", "bigint"},
                     {"versions", "bigint"},
                     {"rows", "bigint"},
                     {"bytes", "bigint"},
                     {"columns", "bigint"}});
  out.row({std::to_string(floor.version), std::to_string(pruned.versions),
           std::to_string(pruned.rows), std::to_string(pruned.bytes),
           std::to_string(pruned.columns)});
  out.end();
}

}  // namespace

void run_prune(EngineContext& context, const std::string& table_name,
               const std::optional<std::string>& keep, bool dry_run, ResultSink& sink) {
  const TablePointer table = root_of(context, table_named(context, table_name));
  const std::string kept = what_to_keep(context, *table, keep);
  const PruneFloor floor =
      dry_run ? find_prune_floor(context, *table, kept) : raise_floor(context, *table, kept);
  if (!floor.held_by.empty()) {
    sink.notice(fmt::format("versions from {} on are kept for {}", floor.version, floor.held_by));
  }
  const VersionInfo version = context.catalog.version_info(*table, floor.version);
  const Pruned pruned = dry_run ? count_below(context, *table, version)
                                : remove_below(context, *table, version, sink);
  report(version, pruned, sink);
  if (!dry_run) sink.done(fmt::format("PRUNE {}", pruned.rows), std::nullopt);
}

}  // namespace coppice::engine
