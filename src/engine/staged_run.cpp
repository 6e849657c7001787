#include "engine/staged_run.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/clock.h"
#include "base/crash_point.h"
#include "base/text.h"
#include "catalog/error_translation.h"
#include "catalog/expressions.h"
#include "engine/bound_expression.h"
#include "engine/emit.h"
#include "engine/engine_query.h"
#include "engine/job_watch.h"
#include "engine/operation_end.h"
#include "engine/query.h"
#include "engine/rehearsal.h"
#include "engine/statement_tools.h"
#include "exec/binder.h"
#include "pg/retry.h"
#include "sql/deparse.h"

namespace coppice::engine {
namespace {

using catalog::ColumnInfo;
using catalog::Operation;
using catalog::TableInfo;
using catalog::TablePointer;
using sql::as;

constexpr int kMostRounds = 3;
constexpr std::string_view kUniqueViolation = "23505";
constexpr int kMostCollisions = 20;  // deadlocks with others: nothing is computed again for them

// The table was altered since: gives the stage the columns that are new and computes those.
void catch_up(EngineContext& context, Stage& stage, const TablePointer& before,
              const TablePointer& now, ResultSink& sink) {
  std::vector<const ColumnInfo*> missing;
  for (const ColumnInfo& column : now->columns) {
    const bool known = std::any_of(before->columns.begin(), before->columns.end(),
                                   [&](const auto& c) { return c.physical == column.physical; });
    if (known) continue;
    context.main.exec(
        fmt::format("ALTER TABLE {} ADD COLUMN IF NOT EXISTS {} {}{}", stage.name(),
                    column.physical, catalog::store_type(column.type),
                    column.default_sql ? " DEFAULT " + *column.default_sql : std::string()));
    if (column.computed()) missing.push_back(&column);
  }
  context.main.exec(fmt::format("UPDATE {} SET _round = 0", stage.name()));
  stage.compute(missing, sink);
}

// What ON CONFLICT says, then all keys. Another writer may take one in between.
void settle_keys(Stage& stage, const StagedPlan& plan) {
  for (int round = 1;; ++round) {
    if (plan.after_media) plan.after_media(stage);
    try {
      return stage.check_keys();
    } catch (const Error& error) {
      const bool taken = error.code() == ErrorCode::kConstraint && plan.after_media;
      if (!taken || round == kMostRounds) throw;
    }
  }
}

// A key that was free when conflicts were resolved may be taken now: then they are resolved again.
Stage::Published publish_once(Stage& stage, ViewStages& views, const StagedPlan& plan, int round) {
  const auto along = [&] {
    if (plan.in_publish) plan.in_publish();
    return views.move_rows();
  };
  try {
    return pg::retry_conflicts(SystemClock(),
                               [&] { return stage.publish(plan.returning, plan.alias, along); },
                               {.attempts = kMostCollisions});
  } catch (const pg::ServerError& error) {
    if (error.sqlstate() != kUniqueViolation || !plan.after_media || round >= kMostRounds) throw;
  }
  Stage::Published published;
  published.rows_changed = true;
  return published;
}

Stage::Published publish_or_step_back(EngineContext& context, TablePointer& table, Stage& stage,
                                      ViewStages& views, Operation& operation,
                                      const StagedPlan& plan, ResultSink& sink) {
  for (int round = 1;; ++round) {
    try {
      Stage::Published published = publish_once(stage, views, plan, round);
      if (!published.rows_changed) return published;
      if (round >= kMostRounds || !plan.load || plan.restores) {
        throw Error(
            ErrorCode::kConflict,
            fmt::format("other writers changed the same rows of {} too often", table->user_name()),
            "run the statement again");
      }
      // As READ COMMITTED would: rows that changed are looked at again.
      if (const auto stale = stage.drop_stale_rows(); !stale.empty()) plan.load(stage, stale);
      stage.take_media(plan.media, plan.skip_bad_media, sink);
      if (plan.after_media) plan.after_media(stage);
      stage.compute(plan.computed(*table), sink);
      views.bring_up(stage, plan.media, sink);
    } catch (const catalog::SchemaChanged&) {
      if (round >= kMostRounds || plan.restores) throw;
      context.forget_catalog();
      const TablePointer now = context.catalog.table_by_id(operation.table_id);
      if (now == nullptr) throw Error(ErrorCode::kNotFound, "the table was dropped meanwhile");
      operation.schema_version = now->schema_version;
      stage.follow(now, operation);
      catch_up(context, stage, table, now, sink);
      table = now;
      views.forget(operation);
      views.bring_up(stage, plan.media, sink);
    }
  }
}

void finish(EngineContext& context, const StagedPlan& plan, const Stage::Published& published,
            ResultSink& sink) {
  if (published.returned) emit_result(context, *published.returned, sink);
  if (published.counts.errors > 0) {
    sink.notice(
        fmt::format("{} cells failed and are NULL; see: coppice errors", published.counts.errors));
  }
  sink.done(
      plan.tells_count ? fmt::format("{} {}", plan.tag, published.counts.changed()) : plan.tag,
      published.version);
}

// An image may not go into a column of videos: to PostgreSQL both are text.
void check_kinds(EngineContext& context, const TableInfo& table,
                 const std::vector<std::string>& physical, sql::Statement& query) {
  const auto* select = as<PgQuery__SelectStmt>(query.node());
  if (select == nullptr || select->n_values_lists > 0) return;
  CatalogKinds relations(context);
  const auto given = exec::columns_of(*select, nullptr, {context.functions, relations});
  if (!given) return;
  for (std::size_t i = 0; i < physical.size() && i < given->size(); ++i) {
    const auto column = std::find_if(table.columns.begin(), table.columns.end(),
                                     [&](const auto& c) { return c.physical == physical[i]; });
    const auto& kind = (*given)[i].kind;
    if (column == table.columns.end() || !kind || !column->media_kind()) continue;
    if (*kind == *column->media_kind()) continue;
    throw Error(ErrorCode::kType,
                fmt::format("column \"{}\" takes {}, but its new value is {}", column->name,
                            exec::with_article(*column->media_kind()), exec::with_article(*kind)));
  }
}

// As if it had just begun.
Operation go_on_with(EngineContext& context, Operation operation, const TableInfo& table) {
  drop_stage_tables(context, operation.tree_id, operation.op_id);
  context.main.exec_cached("SELECT set_config('coppice.op', $1, false)",
                           {std::to_string(operation.op_id)});
  operation.seen_version = table.version;
  operation.schema_version = table.schema_version;
  return operation;
}

}  // namespace

void publish_staged(EngineContext& context, TablePointer& table, Stage& stage, ViewStages& views,
                    Operation& operation, const StagedPlan& plan, ResultSink& sink) {
  finish(context, plan, publish_or_step_back(context, table, stage, views, operation, plan, sink),
         sink);
}

void run_staged(EngineContext& context, TablePointer table, std::string_view statement,
                const StagedPlan& plan, ResultSink& sink) {
  if (context.rehearsal != nullptr) return context.rehearsal->staged(table, plan);
  Operation operation = plan.resumes ? go_on_with(context, *plan.resumes, *table)
                                     : context.log.begin(*table, plan.kind, statement);
  if (operation.schema_version != table->schema_version) {
    context.forget_catalog();
    table = context.catalog.table_by_id(operation.table_id);
  }
  Stage stage = Stage::create(context, table, operation);
  ViewStages views(context, operation, plan.restores);
  JobWatch watch(context, operation, false);
  const SpendingScope spending(context.spending(), operation.text());
  try {
    plan.load(stage, {});
    if (!plan.restores) {
      stage.keep_plan(plan.media, plan.computed(*table));
      watch.allow_pause();
    }
    stage.take_media(plan.media, plan.skip_bad_media, sink);
    stage.check_constraints();
    settle_keys(stage, plan);
    reach_crash_point("stage.sources");
    stage.compute(plan.computed(*table), sink);
    views.bring_up(stage, plan.media, sink);
    publish_staged(context, table, stage, views, operation, plan, sink);
  } catch (const Error& caught) {
    if (!context.main.is_alive()) throw;
    const Error error = watch.explain(caught);
    if (keeps_work(error)) leave_waiting(context, operation, error);
    stage.drop();
    const auto* server_error = dynamic_cast<const pg::ServerError*>(&caught);
    const Error told = server_error != nullptr && error.code() != ErrorCode::kCancelled
                           ? catalog::translate(*server_error, *table)
                           : error;
    context.log.fail(operation, end_state(error), told.message());
    throw told;
  }
}

void load_query(EngineContext& context, const Stage& stage, const std::vector<std::string>& columns,
                const std::vector<std::string>& types, sql::Statement& query,
                const std::vector<pg::Parameter>& values) {
  if (context.rehearsal != nullptr) return context.rehearsal->load(stage, columns, types, query);
  check_kinds(context, stage.table(), columns, query);
  if (exec::mentions_engine_function(query.node(), context.functions) ||
      reads_engine_view(context, query)) {
    return load_engine_query(context, stage.name(), columns, types, query, values);
  }
  resolve_versions(context, query);
  qualify_media_types(sql::message_of(query.node()), query.arena());
  const std::string sent = fmt::format("INSERT INTO {} ({}) {}", stage.name(), join(columns, ", "),
                                       sql::deparse(query.node()));
  try {
    context.main.exec_params(sent, values);
  } catch (const pg::ServerError& error) {
    if (error.fields().position == 0) throw;
    throw query_error(context, error, sent, query);
  }
}

}  // namespace coppice::engine
