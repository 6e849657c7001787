#include "engine/fill_publish.h"

#include <fmt/core.h>

#include <algorithm>

#include "catalog/error_translation.h"
#include "catalog/expressions.h"
#include "catalog/store_ddl.h"
#include "engine/column_definition.h"
#include "engine/schema_change.h"
#include "engine/view_changes.h"
#include "pg/transaction.h"

namespace coppice::engine {
namespace {

using catalog::ColumnInfo;
using catalog::Operation;
using catalog::TableInfo;
using catalog::TablePointer;

// The column as it will be once published.
ColumnInfo published_form(const ColumnInfo& filling, FillKind kind, const ColumnInfo* replaced) {
  ColumnInfo column = filling;
  column.filling = false;
  if (replaced != nullptr) column.position = replaced->position;
  if (kind == FillKind::kAddDefault) column.expression.reset();
  if (kind == FillKind::kChangeType) {
    column.expression.reset();
    column.not_null = replaced->not_null;
    column.default_sql = replaced->default_sql;
    column.identity = replaced->identity;
    column.sequence = replaced->sequence;
  }
  return column;
}

void move_constraints(EngineContext& context, const TableInfo& before, const TableInfo& now,
                      const ColumnInfo& column, const ColumnInfo& replaced) {
  if (replaced.not_null) context.main.exec(catalog::drop_not_null(before, replaced));
  for (const catalog::ConstraintInfo& constraint : now.constraints) {
    const auto& ids = constraint.columns;
    if (std::count(ids.begin(), ids.end(), column.id) == 0) continue;
    context.main.exec(catalog::drop_constraint(before, constraint));
    context.main.exec(catalog::add_constraint(now, constraint));
  }
  if (column.sequence) {
    context.main.exec(
        fmt::format("ALTER TABLE {0} ALTER {1} SET DEFAULT nextval('{2}'), "
                    "ALTER {3} DROP DEFAULT",
                    now.store_table(), column.physical, *column.sequence, replaced.physical));
    context.main.exec(fmt::format("ALTER SEQUENCE {} OWNED BY {}.{}", *column.sequence,
                                  now.store_table(), column.physical));
  } else if (column.default_sql) {
    context.main.exec(
        fmt::format("ALTER TABLE {0} ALTER {1} SET DEFAULT {2}, ALTER {3} DROP DEFAULT",
                    now.store_table(), column.physical, *column.default_sql, replaced.physical));
  }
}

// An index over the old physical column is made over the new one.
void move_indexes(EngineContext& context, const TableInfo& before, const ColumnInfo& column,
                  const ColumnInfo& replaced) {
  for (const catalog::IndexInfo& index : before.indexes) {
    const auto& ids = index.columns;
    if (std::count(ids.begin(), ids.end(), column.id) == 0) continue;
    const pg::Result old = context.main.exec_params(
        "SELECT regexp_replace(pg_get_indexdef(to_regclass($1)), '\\m' || $2 || '\\M', $3, 'g')",
        {"coppice_store." + index.store_name, replaced.physical, column.physical});
    if (old.is_null(0, 0)) continue;
    context.main.exec("DROP INDEX coppice_store." + index.store_name);
    context.main.exec(std::string(old.text(0, 0)));
  }
}

// How a row version that was gone by now would have got its cell: for a revert to it.
void keep_conversion(EngineContext& context, const TableInfo& before, const ColumnInfo& filling) {
  context.main.exec_cached(
      "INSERT INTO coppice.conversions (table_id, physical, expression) VALUES ($1, $2, $3)",
      {std::to_string(before.table_id), filling.physical,
       catalog::in_store_names(before, *filling.expression)});
}

// One hidden column takes its place in `now`.
void publish_column(EngineContext& context, const TableInfo& before, TableInfo& now, FillKind kind,
                    const ColumnInfo& filling, std::int64_t version) {
  const ColumnInfo* replaced = before.column_by_id(filling.id);
  const ColumnInfo column = published_form(filling, kind, replaced);
  std::erase_if(now.columns, [&](const ColumnInfo& c) {
    return c.physical == filling.physical ||
           (replaced != nullptr && c.physical == replaced->physical);
  });
  const auto place = std::find_if(now.columns.begin(), now.columns.end(), [&](const auto& other) {
    return other.position > column.position;
  });
  now.columns.insert(place, column);
  context.main.exec_cached("DELETE FROM coppice.columns WHERE table_id = $1 AND physical = $2",
                           {std::to_string(now.table_id), column.physical});
  context.main.exec_cached(
      "UPDATE coppice.columns SET to_version = $3 "
      "WHERE table_id = $1 AND column_id = $2 AND to_version IS NULL",
      {std::to_string(now.table_id), std::to_string(column.id), std::to_string(version)});
  keep_column(context, now, column, version, "live");
  if (kind == FillKind::kChangeType || kind == FillKind::kAddDefault) {
    keep_conversion(context, before, filling);
  }
  if (kind == FillKind::kAddDefault && column.sequence) {
    use_sequence(context, now, column);
  } else if (kind == FillKind::kAddDefault) {
    context.main.exec(fmt::format("ALTER TABLE {} ALTER {} SET DEFAULT {}", now.store_table(),
                                  column.physical, *column.default_sql));
  }
  if (replaced != nullptr) {
    move_constraints(context, before, now, column, *replaced);
    move_indexes(context, before, column, *replaced);
  }
  if (column.not_null) context.main.exec(catalog::add_not_null(now, column));
}

// By all processes that took part.
std::int64_t count_errors(EngineContext& context, const Operation& operation) {
  return context.main
      .exec_cached("SELECT count(*) FROM coppice.cell_errors WHERE table_id = $1 AND op_id = $2",
                   {std::to_string(operation.table_id), std::to_string(operation.op_id)})
      .integer(0, 0);
}

void forget_workers(EngineContext& context, const Operation& operation) {
  context.main.exec_cached("DELETE FROM coppice.job_workers WHERE tree_id = $1 AND op_id = $2",
                           {std::to_string(operation.tree_id), std::to_string(operation.op_id)});
}

}  // namespace

std::int64_t publish_fill(EngineContext& context, Operation operation, FillKind kind,
                          const std::vector<ConstraintDraft>& constraints, FillClaims& claims,
                          const FillClaim& right) {
  std::optional<std::int64_t> version;
  alter_in_transaction(context, [&] {
    if (!claims.finish(right)) throw FillIsOver();  // it took too long, and another publishes
    const pg::Result tree = context.main.exec_cached(
        "SELECT version, schema_version FROM coppice.trees WHERE tree_id = $1 FOR UPDATE",
        {std::to_string(operation.tree_id)});
    operation.seen_version = tree.integer(0, 0);
    operation.schema_version = tree.integer(0, 1);
    context.forget_catalog();
    const TablePointer before = context.catalog.table_by_id(operation.table_id);
    TableInfo now = *before;
    for (const ColumnInfo& column : before->columns) {
      if (!column.filling) continue;
      publish_column(context, *before, now, kind, column, operation.seen_version + 1);
    }
    for (const ConstraintDraft& constraint : constraints) add_constraint(context, now, constraint);
    follow_with_views(context, *before, now);
    catalog::RowCounts counts;
    counts.errors = count_errors(context, operation);
    version = context.log.publish(operation, counts, false, true).version;
    forget_workers(context, operation);
  });
  context.forget_catalog();
  return *version;
}

void remove_hidden(EngineContext& context, const TableInfo& before, const Operation& operation,
                   const std::function<void()>& note) {
  alter_in_transaction(context, [&] {
    if (note) note();
    // Who still computes a range is waited for; nobody gets another.
    context.main.exec_cached("DELETE FROM coppice.fill_claims WHERE tree_id = $1 AND op_id = $2",
                             {std::to_string(operation.tree_id), std::to_string(operation.op_id)});
    forget_workers(context, operation);
    TableInfo table = before;
    std::erase_if(table.columns, [](const ColumnInfo& column) { return column.filling; });
    for (const std::string& ddl : catalog::compute_trigger(table)) context.main.exec(ddl);
    for (const ColumnInfo& column : before.columns) {
      if (!column.filling) continue;
      context.main.exec(fmt::format("ALTER TABLE {} DROP COLUMN IF EXISTS {}", table.store_table(),
                                    column.physical));
    }
    context.main.exec_cached(
        "DELETE FROM coppice.columns WHERE table_id = $1 AND state = 'filling'",
        {std::to_string(table.table_id)});
    context.main.exec_cached(
        "UPDATE coppice.trees SET schema_version = schema_version + 1 WHERE tree_id = $1",
        {std::to_string(table.tree_id)});
  });
  context.forget_catalog();
}

}  // namespace coppice::engine
