#include "engine/fill.h"

#include <fmt/core.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/crash_point.h"
#include "base/text.h"
#include "catalog/error_translation.h"
#include "catalog/expressions.h"
#include "catalog/store_ddl.h"
#include "engine/bound_expression.h"
#include "engine/column_definition.h"
#include "engine/fill_ranges.h"
#include "engine/schema_change.h"
#include "pg/transaction.h"

namespace coppice::engine {
namespace {

using catalog::ColumnInfo;
using catalog::Operation;
using catalog::TableInfo;
using catalog::TablePointer;
using nlohmann::json;

constexpr std::int64_t kUnpublished = -1;  // from_version of a column that is being filled

std::string kind_name(FillKind kind) {
  switch (kind) {
    case FillKind::kAddColumn: return "add column";
    case FillKind::kChangeExpression: return "alter column";
    case FillKind::kChangeType: return "alter type";
    case FillKind::kRecompute: return "recompute";
  }
  return "fill";
}

const ColumnInfo* filling_column(const TableInfo& table, const std::string& physical) {
  for (const ColumnInfo& column : table.columns) {
    if (column.filling && column.physical == physical) return &column;
  }
  return nullptr;
}

// The first transaction: hidden column, trigger, and what a resume needs.
struct BegunFill {
  std::string physical;
  FillPosition position;
};

BegunFill begin_fill(EngineContext& context, const FillRequest& request,
                     const Operation& operation) {
  BegunFill begun;
  alter_in_transaction(context, [&] {
    const pg::Result tree = context.main.exec_cached(
        "SELECT last_op FROM coppice.trees WHERE tree_id = $1 FOR UPDATE",
        {std::to_string(operation.tree_id)});
    context.forget_catalog();
    const TablePointer before = context.catalog.table(request.table);
    for (const ColumnInfo& column : before->columns) {
      if (column.filling && column.name == request.column.info.name) {
        throw Error(ErrorCode::kBusy,
                    fmt::format("column \"{}\" is being filled already", column.name),
                    "see: coppice jobs");
      }
    }
    TableInfo table = *before;
    ColumnDraft draft = request.column;
    ColumnInfo& column = add_column(context, table, draft, kUnpublished, "filling");
    check_computed_column(context, table, column, request.source, request.column.location);
    keep_column(context, table, column, kUnpublished, "filling");
    begun.physical = column.physical;
    // Operations drawn later run after this transaction, and compute the column themselves.
    begun.position.high_op = tree.integer(0, 0);
    for (const std::string& ddl : catalog::compute_trigger(table)) context.main.exec(ddl);
    context.main.exec_cached(
        "UPDATE coppice.trees SET schema_version = schema_version + 1 WHERE tree_id = $1",
        {std::to_string(operation.tree_id)});
    const json detail = {{"fill", static_cast<int>(request.kind)},
                         {"physical", begun.physical},
                         {"high_op", begun.position.high_op},
                         {"after", {0, 0}}};
    context.main.exec_cached(
        "UPDATE coppice.operations SET detail = $3 WHERE tree_id = $1 AND op_id = $2",
        {std::to_string(operation.tree_id), std::to_string(operation.op_id), detail.dump()});
  });
  context.forget_catalog();
  reach_crash_point("fill.column_added");
  return begun;
}

// Removes the hidden column, whatever state its fill was in.
void remove_hidden(EngineContext& context, const TableInfo& before, const std::string& physical) {
  alter_in_transaction(context, [&] {
    TableInfo table = before;
    std::erase_if(table.columns, [&](const ColumnInfo& c) { return c.physical == physical; });
    for (const std::string& ddl : catalog::compute_trigger(table)) context.main.exec(ddl);
    context.main.exec(fmt::format("ALTER TABLE {} DROP COLUMN IF EXISTS {}", table.store_table(),
                                  physical));
    context.main.exec_cached("DELETE FROM coppice.columns WHERE table_id = $1 AND physical = $2",
                             {std::to_string(table.table_id), physical});
    context.main.exec_cached(
        "UPDATE coppice.trees SET schema_version = schema_version + 1 WHERE tree_id = $1",
        {std::to_string(table.tree_id)});
  });
  context.forget_catalog();
}

// The column as it will be once published.
ColumnInfo published_form(const ColumnInfo& filling, FillKind kind, const ColumnInfo* replaced) {
  ColumnInfo column = filling;
  column.filling = false;
  if (replaced != nullptr) column.position = replaced->position;
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
    context.main.exec(fmt::format("ALTER TABLE {0} ALTER {1} SET DEFAULT nextval('{2}'), "
                                  "ALTER {3} DROP DEFAULT",
                                  now.store_table(), column.physical, *column.sequence,
                                  replaced.physical));
    context.main.exec(fmt::format("ALTER SEQUENCE {} OWNED BY {}.{}", *column.sequence,
                                  now.store_table(), column.physical));
  } else if (column.default_sql) {
    context.main.exec(fmt::format("ALTER TABLE {0} ALTER {1} SET DEFAULT {2}, ALTER {3} DROP DEFAULT",
                                  now.store_table(), column.physical, *column.default_sql,
                                  replaced.physical));
  }
}

// The last transaction: the name maps to the new physical column from this version on.
std::int64_t publish_fill(EngineContext& context, Operation operation, FillKind kind,
                          const std::string& physical, std::int64_t errors) {
  std::optional<std::int64_t> version;
  alter_in_transaction(context, [&] {
    const pg::Result tree = context.main.exec_cached(
        "SELECT version, schema_version FROM coppice.trees WHERE tree_id = $1 FOR UPDATE",
        {std::to_string(operation.tree_id)});
    operation.seen_version = tree.integer(0, 0);
    operation.schema_version = tree.integer(0, 1);
    const std::string next = std::to_string(operation.seen_version + 1);
    context.forget_catalog();
    const TablePointer before = context.catalog.table_by_id(operation.table_id);
    const ColumnInfo* filling = filling_column(*before, physical);
    COPPICE_ASSERT(filling != nullptr);
    const ColumnInfo* replaced = before->column_by_id(filling->id);
    const ColumnInfo column = published_form(*filling, kind, replaced);
    TableInfo now = *before;
    std::erase_if(now.columns, [&](const ColumnInfo& c) {
      return c.physical == physical || (replaced != nullptr && c.physical == replaced->physical);
    });
    const auto place = std::find_if(now.columns.begin(), now.columns.end(), [&](const auto& other) {
      return other.position > column.position;
    });
    now.columns.insert(place, column);
    context.main.exec_cached("DELETE FROM coppice.columns WHERE table_id = $1 AND physical = $2",
                             {std::to_string(now.table_id), physical});
    context.main.exec_cached(
        "UPDATE coppice.columns SET to_version = $3 "
        "WHERE table_id = $1 AND column_id = $2 AND to_version IS NULL",
        {std::to_string(now.table_id), std::to_string(column.id), next});
    keep_column(context, now, column, operation.seen_version + 1, "live");
    if (replaced != nullptr) move_constraints(context, *before, now, column, *replaced);
    if (column.not_null) context.main.exec(catalog::add_not_null(now, column));
    follow_with_views(context, *before, now);
    catalog::RowCounts counts;
    counts.errors = errors;
    version = context.log.publish(operation, counts, false, true).version;
  });
  context.forget_catalog();
  return *version;
}

std::int64_t finish_fill(EngineContext& context, const Operation& operation, FillKind kind,
                         const std::string& physical, const FillPosition& position,
                         ResultSink& sink) {
  const TablePointer table = context.catalog.table_by_id(operation.table_id);
  const ColumnInfo* column = filling_column(*table, physical);
  COPPICE_ASSERT(column != nullptr);
  const std::int64_t errors = fill_ranges(context, operation, *table, *column, position, sink);
  reach_crash_point("fill.before_publish");
  return publish_fill(context, operation, kind, physical, errors);
}

}  // namespace

std::int64_t fill_column(EngineContext& context, const FillRequest& request, ResultSink& sink) {
  const TablePointer table = context.catalog.table(request.table);
  const Operation operation = context.log.begin(*table, kind_name(request.kind), request.statement);
  std::string physical;
  try {
    const BegunFill begun = begin_fill(context, request, operation);
    physical = begun.physical;
    return finish_fill(context, operation, request.kind, physical, begun.position, sink);
  } catch (const Error& error) {
    context.forget_catalog();
    if (!context.main.is_alive()) throw;
    if (error.code() == ErrorCode::kInterrupted && !physical.empty()) {
      context.log.fail(operation, "interrupted", error.message());
      throw;  // its ranges stay; jobs resume or discard
    }
    if (!physical.empty()) {
      remove_hidden(context, *context.catalog.table_by_id(operation.table_id), physical);
    }
    const auto* server_error = dynamic_cast<const pg::ServerError*>(&error);
    const Error told = server_error != nullptr ? ddl_error(*server_error, *table, request.source)
                                               : error;
    context.log.fail(operation, "failed", told.message());
    throw told;
  }
}

int resume_fills(EngineContext& context, ResultSink& sink) {
  const pg::Result waiting = context.main.exec_cached(
      "UPDATE coppice.operations o SET state = 'running', ended_at = NULL, message = NULL, "
      "backend_pid = a.pid, backend_start = a.backend_start "
      "FROM pg_stat_get_activity(pg_backend_pid()) a "
      "WHERE o.state = 'interrupted' AND o.detail ? 'fill' "
      "RETURNING o.tree_id, o.op_id, o.table_id, o.detail",
      {});
  for (int row = 0; row < waiting.rows(); ++row) {
    Operation operation;
    operation.tree_id = waiting.integer(row, 0);
    operation.op_id = waiting.integer(row, 1);
    operation.table_id = waiting.integer(row, 2);
    const json detail = json::parse(waiting.text(row, 3));
    FillPosition position;
    position.high_op = detail["high_op"];
    position.after_from = detail["after"][0];
    position.after_row = detail["after"][1];
    const std::string physical = detail["physical"];
    try {
      finish_fill(context, operation, static_cast<FillKind>(detail["fill"].get<int>()), physical,
                  position, sink);
    } catch (const Error& error) {
      if (!context.main.is_alive()) throw;
      if (error.code() == ErrorCode::kInterrupted) {
        context.log.fail(operation, "interrupted", error.message());
        throw;
      }
      remove_hidden(context, *context.catalog.table_by_id(operation.table_id), physical);
      context.log.fail(operation, "failed", error.message());
      sink.notice(fmt::format("operation {} failed: {}", operation.text(), error.message()));
    }
  }
  return waiting.rows();
}

void discard_fill(EngineContext& context, std::int64_t tree_id, std::int64_t op_id) {
  const pg::Result row = context.main.exec_cached(
      "SELECT table_id, detail->>'physical' FROM coppice.operations "
      "WHERE tree_id = $1 AND op_id = $2",
      {std::to_string(tree_id), std::to_string(op_id)});
  const TablePointer table = context.catalog.table_by_id(row.integer(0, 0));
  if (table != nullptr) remove_hidden(context, *table, std::string(row.text(0, 1)));
}

}  // namespace coppice::engine
