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
#include "engine/fill_constraints.h"
#include "engine/fill_ranges.h"
#include "engine/job_watch.h"
#include "engine/operation_end.h"
#include "engine/rehearsal.h"
#include "engine/schema_change.h"
#include "engine/view_changes.h"
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
    case FillKind::kAddColumn:
    case FillKind::kAddDefault:
      return "add column";
    case FillKind::kChangeExpression:
      return "alter column";
    case FillKind::kChangeType:
      return "alter type";
  }
  return "fill";
}

// The first transaction: hidden columns, trigger, and what a resume needs.
struct BegunFill {
  std::vector<std::string> physical;
  FillPosition position;
};

void refuse_second_fill(const TableInfo& table) {
  for (const ColumnInfo& column : table.columns) {
    if (!column.filling) continue;
    throw Error(ErrorCode::kBusy,
                fmt::format("column \"{}\" of {} is being filled", column.name, table.user_name()),
                "wait for it, or discard it: coppice jobs");
  }
}

ExpressionUse expression_use(FillKind kind) {
  switch (kind) {
    case FillKind::kChangeType:
      return ExpressionUse::kNewType;
    case FillKind::kAddDefault:
      return ExpressionUse::kDefault;
    default:
      return ExpressionUse::kComputed;
  }
}

// While it is filled the column is computed, by its default. The server is not told the default
// yet: it would write the whole table anew, under a lock.
ColumnInfo& add_defaulted_column(EngineContext& context, TableInfo& table,
                                 const ColumnDraft& draft) {
  ColumnDraft bare = draft;
  bare.info.default_sql.reset();
  ColumnInfo& column = add_column(context, table, bare, kUnpublished, "filling");
  column.default_sql = draft.info.default_sql;
  if (column.default_sql) check_default(context, column);
  column.expression = column.sequence
                          ? fmt::format("nextval({})", sql::quote_literal(*column.sequence))
                          : *column.default_sql;
  context.main.exec(
      fmt::format("ALTER TABLE {} ALTER {} DROP DEFAULT", table.store_table(), column.physical));
  return column;
}

BegunFill begin_fill(EngineContext& context, const FillRequest& request,
                     const Operation& operation) {
  BegunFill begun;
  alter_in_transaction(context, [&] {
    begun = {};
    const pg::Result tree =
        context.main.exec_cached("SELECT last_op FROM coppice.trees WHERE tree_id = $1 FOR UPDATE",
                                 {std::to_string(operation.tree_id)});
    context.forget_catalog();
    TableInfo table = *context.catalog.table(request.table);
    refuse_second_fill(table);
    for (const ColumnDraft& draft : request.columns) {
      refuse_change_of_read_column(context, table, draft.info.id, "change");
    }
    for (const ColumnDraft& draft : request.columns) {
      ColumnInfo& column = request.kind == FillKind::kAddDefault
                               ? add_defaulted_column(context, table, draft)
                               : add_column(context, table, draft, kUnpublished, "filling");
      const TableInfo names =
          request.kind == FillKind::kChangeType ? table : catalog::with_fills(table);
      check_computed_column(context, names, column, request.source, draft.location,
                            expression_use(request.kind));
      keep_column(context, table, column, kUnpublished, "filling");
      begun.physical.push_back(column.physical);
    }
    // Operations drawn later run after this transaction, and compute the columns themselves.
    begun.position.high_op = tree.integer(0, 0);
    for (const std::string& ddl : catalog::compute_trigger(table)) context.main.exec(ddl);
    context.main.exec_cached(
        "UPDATE coppice.trees SET schema_version = schema_version + 1 WHERE tree_id = $1",
        {std::to_string(operation.tree_id)});
    const json detail = {{"fill", static_cast<int>(request.kind)},
                         {"physical", begun.physical},
                         {"filled", 0},
                         {"high_op", begun.position.high_op},
                         {"after", {0, 0}},
                         {"constraints", constraints_json(request.constraints)}};
    context.main.exec_cached(
        "UPDATE coppice.operations SET detail = $3 WHERE tree_id = $1 AND op_id = $2",
        {std::to_string(operation.tree_id), std::to_string(operation.op_id), detail.dump()});
  });
  context.forget_catalog();
  reach_crash_point("fill.column_added");
  return begun;
}

// Removes the hidden columns, whatever state their fill was in.
void remove_hidden(EngineContext& context, const TableInfo& before) {
  alter_in_transaction(context, [&] {
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

// The last transaction: names map to the new physical columns from this version on.
std::int64_t publish_fill(EngineContext& context, Operation operation, FillKind kind,
                          const std::vector<ConstraintDraft>& constraints, std::int64_t errors) {
  std::optional<std::int64_t> version;
  alter_in_transaction(context, [&] {
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
    counts.errors = errors;
    version = context.log.publish(operation, counts, false, true).version;
  });
  context.forget_catalog();
  return *version;
}

// Fills column after column; `filled` of them are done already.
std::int64_t finish_fill(EngineContext& context, const Operation& operation, FillKind kind,
                         const std::vector<ConstraintDraft>& constraints,
                         const std::vector<std::string>& physical, std::size_t filled,
                         FillPosition position, ResultSink& sink) {
  const TablePointer table = context.catalog.table_by_id(operation.table_id);
  const TableInfo names = kind == FillKind::kChangeType ? *table : catalog::with_fills(*table);
  std::int64_t errors = 0;
  for (std::size_t i = filled; i < physical.size(); ++i) {
    const auto column = std::find_if(names.columns.begin(), names.columns.end(),
                                     [&](const auto& c) { return c.physical == physical[i]; });
    COPPICE_ASSERT(column != names.columns.end());
    errors += fill_ranges(context, operation, names, *column, position, sink);
    position.after_from = 0;
    position.after_row = 0;
    context.main.exec_cached(
        "UPDATE coppice.operations SET detail = detail || jsonb_build_object('filled', $3::int, "
        "'after', jsonb_build_array(0, 0)) WHERE tree_id = $1 AND op_id = $2",
        {std::to_string(operation.tree_id), std::to_string(operation.op_id),
         std::to_string(i + 1)});
  }
  reach_crash_point("fill.before_publish");
  return publish_fill(context, operation, kind, constraints, errors);
}

// Goes on with a fill that this process has taken up.
std::int64_t go_on(EngineContext& context, const catalog::WaitingOperation& taken,
                   ResultSink& sink) {
  const Operation& operation = taken.operation;
  const json detail = json::parse(taken.detail);
  FillPosition position;
  position.high_op = detail["high_op"];
  position.after_from = detail["after"][0];
  position.after_row = detail["after"][1];
  JobWatch watch(context, operation, true);
  try {
    return finish_fill(context, operation, static_cast<FillKind>(detail["fill"].get<int>()),
                       constraints_of(detail), detail["physical"], detail["filled"], position,
                       sink);
  } catch (const Error& caught) {
    context.forget_catalog();
    if (!context.main.is_alive()) throw;
    const Error error = watch.explain(caught);
    if (keeps_work(error)) leave_waiting(context, operation, error, true);
    remove_hidden(context, *context.catalog.table_by_id(operation.table_id));
    context.log.fail(operation, end_state(error), error.message());
    throw error;
  }
}

}  // namespace

std::int64_t fill_column(EngineContext& context, const FillRequest& request, ResultSink& sink) {
  if (context.rehearsal != nullptr) {
    context.rehearsal->fill(request);
    return 0;
  }
  const TablePointer table = context.catalog.table(request.table);
  const Operation operation = context.log.begin(*table, kind_name(request.kind), request.statement);
  bool begun_filling = false;
  JobWatch watch(context, operation, false);
  try {
    const BegunFill begun = begin_fill(context, request, operation);
    begun_filling = true;
    watch.allow_pause();
    return finish_fill(context, operation, request.kind, request.constraints, begun.physical, 0,
                       begun.position, sink);
  } catch (const Error& caught) {
    context.forget_catalog();
    if (!context.main.is_alive()) throw;
    const Error error = watch.explain(caught);
    if (keeps_work(error) && begun_filling) leave_waiting(context, operation, error, true);
    // With the hidden columns, for errors about them.
    const TablePointer hidden = context.catalog.table_by_id(operation.table_id);
    if (begun_filling) remove_hidden(context, *hidden);
    const auto* server_error = dynamic_cast<const pg::ServerError*>(&caught);
    const Error told = server_error != nullptr && error.code() != ErrorCode::kCancelled
                           ? ddl_error(*server_error, *hidden, request.source)
                           : error;
    context.log.fail(operation, end_state(error), told.message());
    throw told;
  }
}

int resume_fills(EngineContext& context, ResultSink& sink) {
  const pg::Result waiting = context.main.exec(
      "SELECT tree_id, op_id FROM coppice.operations "
      "WHERE state = 'interrupted' AND detail ? 'fill' AND background IS NULL ORDER BY begun_at");
  int finished = 0;
  for (int row = 0; row < waiting.rows(); ++row) {
    const auto taken = context.log.take_up(waiting.integer(row, 0), waiting.integer(row, 1), true);
    if (!taken) continue;  // another process goes on with it
    ++finished;
    try {
      go_on(context, *taken, sink);
    } catch (const Error& error) {
      // It stands in nobody's way, and the statement that was to be run is.
      if (keeps_work(error) && error.code() != ErrorCode::kPaused) throw;
      if (!context.main.is_alive()) throw;
      sink.notice(fmt::format("operation {} {}: {}", taken->operation.text(),
                              error.code() == ErrorCode::kPaused ? "was paused" : "failed",
                              error.message()));
    }
  }
  return finished;
}

void resume_fill(EngineContext& context, std::int64_t tree_id, std::int64_t op_id,
                 ResultSink& sink) {
  const auto taken = context.log.take_up(tree_id, op_id);
  if (!taken) throw_taken_up(tree_id, op_id);
  sink.done("RESUME", go_on(context, *taken, sink));
}

void discard_fill(EngineContext& context, std::int64_t tree_id, std::int64_t op_id) {
  const pg::Result row = context.main.exec_cached(
      "SELECT table_id FROM coppice.operations "
      "WHERE tree_id = $1 AND op_id = $2",
      {std::to_string(tree_id), std::to_string(op_id)});
  const TablePointer table = context.catalog.table_by_id(row.integer(0, 0));
  if (table != nullptr) remove_hidden(context, *table);
}

}  // namespace coppice::engine
