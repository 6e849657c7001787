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
#include "engine/fill_publish.h"
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
  std::int64_t high_op = 0;  // operations above it compute the columns themselves
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
    begun.high_op = tree.integer(0, 0);
    for (const std::string& ddl : catalog::compute_trigger(table)) context.main.exec(ddl);
    context.main.exec_cached(
        "UPDATE coppice.trees SET schema_version = schema_version + 1 WHERE tree_id = $1",
        {std::to_string(operation.tree_id)});
    const json detail = {{"fill", static_cast<int>(request.kind)},
                         {"physical", begun.physical},
                         {"filled", 0},
                         {"high_op", begun.high_op},
                         {"after", {0, 0}},
                         {"counted", 0},
                         {"constraints", constraints_json(request.constraints)}};
    context.main.exec_cached(
        "UPDATE coppice.operations SET detail = $3 WHERE tree_id = $1 AND op_id = $2",
        {std::to_string(operation.tree_id), std::to_string(operation.op_id), detail.dump()});
  });
  context.forget_catalog();
  reach_crash_point("fill.column_added");
  return begun;
}

// What is to be done, as the operation keeps it.
struct FillWork {
  FillKind kind = FillKind::kAddColumn;
  std::vector<std::string> physical;
  std::vector<ConstraintDraft> constraints;
  std::int64_t high_op = 0;
};

FillWork read_work(const json& detail) {
  return {static_cast<FillKind>(detail.at("fill").get<int>()), detail.at("physical"),
          constraints_of(detail), detail.at("high_op")};
}

// Another process has ended the operation, and said how.
class EndedElsewhere : public Error {
 public:
  using Error::Error;
};

// The version that another process has published; throws how it ended otherwise.
std::int64_t outcome_of(EngineContext& context, const Operation& operation) {
  context.forget_catalog();
  const pg::Result row = context.main.exec_cached(
      "SELECT state, version, coalesce(message, '') FROM coppice.operations "
      "WHERE tree_id = $1 AND op_id = $2",
      {std::to_string(operation.tree_id), std::to_string(operation.op_id)});
  const std::string state(row.rows() > 0 ? row.text(0, 0) : "discarded");
  if (state == "published") return row.integer(0, 1);
  const ErrorCode code = state == "paused"        ? ErrorCode::kPaused
                         : state == "failed"      ? ErrorCode::kComputation
                         : state == "interrupted" ? ErrorCode::kInterrupted
                                                  : ErrorCode::kCancelled;
  throw EndedElsewhere(
      code, fmt::format("job {} was ended by another process as {}: {}", operation.text(), state,
                        row.rows() > 0 ? row.text(0, 2) : "the table was dropped"));
}

bool still_runs(EngineContext& context, const Operation& operation) {
  return context.main
             .exec_cached(
                 "SELECT 1 FROM coppice.operations "
                 "WHERE tree_id = $1 AND op_id = $2 AND state = 'running'",
                 {std::to_string(operation.tree_id), std::to_string(operation.op_id)})
             .rows() > 0;
}

// Computes ranges of column after column, as long as there are any; then whoever is first
// publishes.
std::int64_t share_fill(EngineContext& context, const Operation& operation, const FillWork& work,
                        ResultSink& sink) {
  const TablePointer table = context.catalog.table_by_id(operation.table_id);
  if (table == nullptr) throw FillIsOver();
  const TableInfo names = work.kind == FillKind::kChangeType ? *table : catalog::with_fills(*table);
  FillClaims claims(context, operation);
  for (std::size_t i = 0; i < work.physical.size(); ++i) {
    const auto column = std::find_if(names.columns.begin(), names.columns.end(),
                                     [&](const auto& c) { return c.physical == work.physical[i]; });
    if (column == names.columns.end()) throw FillIsOver();
    fill_ranges(context, operation, names, *column, static_cast<int>(i), work.high_op, claims,
                sink);
  }
  for (;;) {
    const auto right = claims.publishing();
    if (!right) return outcome_of(context, operation);
    reach_crash_point("fill.before_publish");
    try {
      return publish_fill(context, operation, work.kind, work.constraints, claims, *right);
    } catch (const FillIsOver&) {  // too slow: somebody else publishes, or has
    }
  }
}

std::int64_t finish_fill(EngineContext& context, const Operation& operation, const FillWork& work,
                         ResultSink& sink) {
  try {
    return share_fill(context, operation, work, sink);
  } catch (const FillIsOver&) {
    return outcome_of(context, operation);
  } catch (const pg::ServerError&) {
    // The column was taken away while it was written to.
    if (!context.main.is_alive() || still_runs(context, operation)) throw;
    return outcome_of(context, operation);
  }
}

// Of several processes one leaves: the others go on. False: there are none.
bool leave_to_others(EngineContext& context, const Operation& operation) {
  return context.main
             .exec_cached(
                 "UPDATE coppice.operations o SET backend_pid = w.backend_pid, "
                 "backend_start = w.backend_start FROM (SELECT w.backend_pid, w.backend_start "
                 "FROM coppice.job_workers w JOIN LATERAL pg_stat_get_activity(w.backend_pid) a "
                 "ON a.backend_start = w.backend_start WHERE w.tree_id = $1 AND w.op_id = $2 "
                 "AND w.backend_pid <> pg_backend_pid() LIMIT 1) w "
                 "WHERE o.tree_id = $1 AND o.op_id = $2 AND o.state = 'running'",
                 {std::to_string(operation.tree_id), std::to_string(operation.op_id)})
             .affected_rows() > 0;
}

// What stays of a fill that did not reach its version here. Throws.
[[noreturn]] void end_fill(EngineContext& context, const Operation& operation, const Error& error,
                           const Error& told) {
  if (error.code() == ErrorCode::kInterrupted && leave_to_others(context, operation)) {
    throw Error(
        error.code(), error.message(),
        fmt::format("other processes go on with job {0}: coppice jobs show {0}", operation.text()));
  }
  if (keeps_work(error)) leave_waiting(context, operation, error, true);
  const TablePointer table = context.catalog.table_by_id(operation.table_id);
  if (table != nullptr) {
    remove_hidden(context, *table, operation, [&] {
      if (!still_runs(context, operation)) outcome_of(context, operation);  // throws, or is odd
      context.log.fail(operation, end_state(error), told.message());
    });
  }
  throw told;
}

// Goes on with a fill that runs, as this process's or beside others.
std::int64_t go_on(EngineContext& context, const Operation& operation, const std::string& detail,
                   ResultSink& sink) {
  JobWatch watch(context, operation, true);
  try {
    return finish_fill(context, operation, read_work(json::parse(detail)), sink);
  } catch (const EndedElsewhere&) {
    throw;
  } catch (const Error& caught) {
    context.forget_catalog();
    if (!context.main.is_alive()) throw;
    const Error error = watch.explain(caught);
    end_fill(context, operation, error, error);
  }
}

// One that this process has taken up: its rows are counted anew.
std::int64_t go_on(EngineContext& context, const catalog::WaitingOperation& taken,
                   ResultSink& sink) {
  const Operation& operation = taken.operation;
  context.main.exec_cached(
      "UPDATE coppice.operations SET detail = detail || "
      "jsonb_build_object('counted', detail->'filled') WHERE tree_id = $1 AND op_id = $2",
      {std::to_string(operation.tree_id), std::to_string(operation.op_id)});
  return go_on(context, operation, taken.detail, sink);
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
    return finish_fill(context, operation,
                       {request.kind, begun.physical, request.constraints, begun.high_op}, sink);
  } catch (const EndedElsewhere&) {
    throw;
  } catch (const Error& caught) {
    context.forget_catalog();
    if (!context.main.is_alive()) throw;
    const Error error = watch.explain(caught);
    // With the hidden columns, for errors about them.
    const TablePointer hidden = context.catalog.table_by_id(operation.table_id);
    const auto* server_error = dynamic_cast<const pg::ServerError*>(&caught);
    const bool is_ddl = server_error != nullptr && hidden != nullptr &&
                        error.code() != ErrorCode::kCancelled && !keeps_work(error);
    const Error told = is_ddl ? ddl_error(*server_error, *hidden, request.source) : error;
    if (begun_filling) end_fill(context, operation, error, told);
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

void join_fill(EngineContext& context, std::int64_t tree_id, std::int64_t op_id, ResultSink& sink) {
  const pg::Result row = context.main.exec_cached(
      "SELECT table_id, detail FROM coppice.operations "
      "WHERE tree_id = $1 AND op_id = $2 AND state = 'running' AND detail ? 'fill'",
      {std::to_string(tree_id), std::to_string(op_id)});
  if (row.rows() == 0) throw Error(ErrorCode::kConflict, "the fill ended at this moment");
  Operation operation;
  operation.tree_id = tree_id;
  operation.op_id = op_id;
  operation.table_id = row.integer(0, 0);
  sink.done("WORK", go_on(context, operation, std::string(row.text(0, 1)), sink));
}

void discard_fill(EngineContext& context, std::int64_t tree_id, std::int64_t op_id) {
  const pg::Result row = context.main.exec_cached(
      "SELECT table_id FROM coppice.operations "
      "WHERE tree_id = $1 AND op_id = $2",
      {std::to_string(tree_id), std::to_string(op_id)});
  Operation operation;
  operation.tree_id = tree_id;
  operation.op_id = op_id;
  operation.table_id = row.integer(0, 0);
  const TablePointer table = context.catalog.table_by_id(operation.table_id);
  if (table != nullptr) remove_hidden(context, *table, operation);
}

}  // namespace coppice::engine
