#include "engine/revert.h"

#include <fmt/core.h>

#include <thread>

#include "base/clock.h"
#include "base/crash_point.h"
#include "base/text.h"
#include "catalog/error_translation.h"
#include "engine/emit.h"
#include "engine/job_watch.h"
#include "engine/named_table.h"
#include "engine/operation_end.h"
#include "engine/references.h"
#include "engine/revert_plan.h"
#include "engine/revert_tree.h"
#include "engine/row_changes.h"
#include "engine/stage.h"
#include "pg/transaction.h"

namespace coppice::engine {
namespace {

using catalog::Operation;
using catalog::RowCounts;
using catalog::TablePointer;

constexpr int kMostRounds = 10;  // after others altered the table or deleted rows to be computed
constexpr int kFreePasses = 3;   // over the rows without the tree's lock

constexpr const char* kUniqueViolation = "23505";

struct Tree {
  std::int64_t version = 0;
  std::int64_t schema_version = 0;
  std::int64_t floor_version = 0;
};

Tree read_tree(EngineContext& context, std::int64_t tree_id, bool lock) {
  const pg::Result row = context.main.exec_cached(
      fmt::format("SELECT version, schema_version, floor_version FROM coppice.trees "
                  "WHERE tree_id = $1{}",
                  lock ? " FOR UPDATE" : ""),
      {std::to_string(tree_id)});
  if (row.rows() == 0) throw Error(ErrorCode::kNotFound, "the table was dropped meanwhile");
  return {row.integer(0, 0), row.integer(0, 1), row.integer(0, 2)};
}

// One revert from its operation to its version.
class Revert {
 public:
  Revert(EngineContext& context, TablePointer table, const catalog::VersionInfo& target,
         ResultSink& sink)
      : context_(context), table_(std::move(table)), target_(target), sink_(sink) {}

  // The version, unless nothing differed.
  std::optional<std::int64_t> run();
  const RowCounts& counts() const { return counts_; }
  std::string operation_text() const { return operation_.text(); }

 private:
  void plan();
  std::optional<std::int64_t> attempt();
  void fill_stage();
  void write_until_alone();
  void write_rows();
  void insert(const std::string& computed, const std::string& statement);
  void count_rows();
  void forget_stage();
  bool may_try_again(const pg::ServerError& error, int round);
  void give_up(std::string_view state, const Error& error);

  EngineContext& context_;
  TablePointer table_;
  catalog::VersionInfo target_;
  ResultSink& sink_;
  Operation operation_;
  std::unique_ptr<RevertPlan> plan_;
  std::optional<Stage> stage_;  // made when cells must be computed by workers
  bool cells_are_missing_ = false;
  RowCounts counts_;
};

void Revert::plan() {
  context_.forget_catalog();
  table_ = context_.catalog.table_by_id(operation_.table_id);
  if (table_ == nullptr) throw Error(ErrorCode::kNotFound, "the table was dropped meanwhile");
  operation_.schema_version = table_->schema_version;
  plan_ = std::make_unique<RevertPlan>(context_, table_, target_);
}

std::optional<std::int64_t> Revert::run() {
  const std::string statement =
      fmt::format("coppice revert {} --to {}", table_->user_name(), target_.version);
  operation_ = context_.log.begin(*table_, "revert", statement);
  JobWatch watch(context_, operation_, false);
  for (int round = 1;; ++round) {
    try {
      context_.check_stop();
      if (plan_ == nullptr) plan();
      if (plan_->needs_workers()) fill_stage();
      if (const auto version = attempt(); !cells_are_missing_) return version;
      if (round < kMostRounds) continue;
      throw Error(ErrorCode::kConflict,
                  fmt::format("other writers changed rows of {} too often", table_->user_name()),
                  "run the revert again");
    } catch (const catalog::SchemaChanged& changed) {
      if (round == kMostRounds) {
        give_up("conflict", changed);
        throw;
      }
      forget_stage();  // it has the old columns
      plan_.reset();
    } catch (const pg::ServerError& error) {
      if (may_try_again(error, round)) continue;
      const Error translated = watch.explain(catalog::translate(error, *table_));
      give_up(pg::is_retryable(error) ? "conflict" : end_state(translated), translated);
      throw translated;
    } catch (const Error& error) {
      const Error told = watch.explain(error);
      give_up(end_state(told), told);
      throw told;
    }
  }
}

bool Revert::may_try_again(const pg::ServerError& error, int round) {
  if (!pg::is_retryable(error) || round == kMostRounds) return false;
  std::this_thread::sleep_for(
      backoff(round, std::chrono::milliseconds(2), std::chrono::milliseconds(200)));
  return true;
}

void Revert::give_up(std::string_view state, const Error& error) {
  if (!context_.main.is_alive()) return;
  forget_stage();
  context_.log.fail(operation_, state, error.message());
}

void Revert::forget_stage() {
  if (!stage_) return;
  stage_->drop();
  stage_.reset();
}

// Cells that workers must compute, for rows that are not staged yet.
void Revert::fill_stage() {
  if (!stage_) stage_.emplace(Stage::create(context_, table_, operation_));
  {
    pg::Transaction transaction(context_.main);
    use_change_indexes(context_.main);
    context_.main.exec(plan_->load_stage(stage_->name()));
    bring_back_references(context_, operation_, *table_, target_.version, stage_->name());
    transaction.commit();
  }
  stage_->compute(plan_->computed(), sink_);
}

std::optional<std::int64_t> Revert::attempt() {
  pg::Transaction transaction(context_.main);
  context_.log.enter(operation_);
  use_change_indexes(context_.main);
  cells_are_missing_ = false;
  write_until_alone();
  if (cells_are_missing_) return std::nullopt;
  bring_back_references(
      context_, operation_, *table_, target_.version,
      fmt::format("{} WHERE _from = {}", table_->store_table(), operation_.op_id));
  reach_crash_point("revert.rows_written");
  count_rows();
  if (stage_) context_.main.exec("DROP TABLE " + stage_->name());
  const auto version = context_.log.publish(operation_, counts_, false, false).version;
  reach_crash_point("revert.before_commit");
  transaction.commit();
  return version;
}

// Writes the rows, then locks the tree; again, when another operation was published in between.
void Revert::write_until_alone() {
  for (int pass = 1;; ++pass) {
    const bool locked_first = pass > kFreePasses;
    const Tree before = read_tree(context_, operation_.tree_id, locked_first);
    pg::Savepoint savepoint(context_.main);
    try {
      write_rows();
    } catch (const pg::ServerError& error) {
      // The key may be that of a row which was inserted meanwhile.
      if (error.sqlstate() != kUniqueViolation || locked_first) throw;
      savepoint.rollback();
      continue;
    }
    const Tree now = locked_first ? before : read_tree(context_, operation_.tree_id, true);
    if (now.schema_version != operation_.schema_version) throw catalog::SchemaChanged();
    if (now.floor_version > target_.version) {
      context_.catalog.version_info(*table_, target_.version);  // throws: it was pruned
    }
    if (now.version == before.version) {
      savepoint.release();
      return;
    }
    savepoint.rollback();  // and the lock with it
    cells_are_missing_ = false;
  }
}

// All old rows are closed before the first new key is looked at.
void Revert::write_rows() {
  if (stage_ && context_.main.exec(plan_->is_missing(stage_->name())).boolean(0, 0)) {
    cells_are_missing_ = true;
    return;
  }
  context_.main.exec(plan_->close());
  insert(plan_->computed_for_complete(), plan_->insert_complete());
  if (stage_) {
    context_.main.exec(plan_->insert_staged(stage_->name()));
  } else if (!plan_->computed().empty()) {
    insert(plan_->computed_for_incomplete(), plan_->insert_incomplete());
  }
}

void Revert::insert(const std::string& computed, const std::string& statement) {
  // With the trace on, a failed computation says of which row and column it was.
  context_.main.exec_cached(
      "SELECT set_config('coppice.compute', $1, true), set_config('coppice.trace', 'on', true)",
      {computed});
  context_.main.exec(statement);
}

void Revert::count_rows() {
  const std::string store = table_->store_table();
  const pg::Result rows = context_.main.exec(fmt::format(
      "SELECT count(*) FILTER (WHERE c._row IS NULL), "
      "count(*) FILTER (WHERE n._row IS NOT NULL AND c._row IS NOT NULL), "
      "count(*) FILTER (WHERE n._row IS NULL) FROM (SELECT _row FROM {0} WHERE _from = {1}) n "
      "FULL JOIN (SELECT _row FROM {0} WHERE _to = {1}) c ON n._row = c._row",
      store, operation_.op_id));
  counts_.inserted = rows.integer(0, 0);
  counts_.updated = rows.integer(0, 1);
  counts_.deleted = rows.integer(0, 2);
  counts_.errors = context_.main
                       .exec_cached(
                           "SELECT count(*) FROM coppice.cell_errors "
                           "WHERE table_id = $1 AND op_id = $2",
                           {std::to_string(table_->table_id), std::to_string(operation_.op_id)})
                       .integer(0, 0);
}

void tell_dropped(const RevertPlan& plan, const catalog::VersionInfo& target, ResultSink& sink) {
  for (const std::string& name : plan.dropped()) {
    sink.notice(fmt::format("column \"{}\" of version {} was dropped since and stays away", name,
                            target.version));
  }
}

void tell_equal(const catalog::TableInfo& table, const catalog::VersionInfo& target,
                ResultSink& sink) {
  sink.notice(fmt::format("the rows of {} equal those of version {}: nothing to do",
                          table.user_name(), target.version));
}

void refuse_view(EngineContext& context, const catalog::TableInfo& table) {
  if (!table.view) return;
  const TablePointer parent = context.catalog.table_by_id(table.view->parent_id);
  throw Error(ErrorCode::kRefused,
              fmt::format("{} is a materialized view: it goes back with {}", table.user_name(),
                          parent->user_name()),
              fmt::format("coppice revert {} --to N", parent->user_name()));
}

void show_plan(EngineContext& context, const RevertPlan& plan, ResultSink& sink) {
  pg::Transaction transaction(context.main, pg::TransactionMode::kReadOnlySnapshot);
  use_change_indexes(context.main);
  const pg::Result counts = context.main.exec(plan.count());
  transaction.commit();
  RowsOut out(sink, {{"change", "text"}, {"count", "bigint"}});
  const char* const changes[] = {"insert", "update", "delete"};
  for (int i = 0; i < 3; ++i) out.row({changes[i], std::string(counts.text(0, i))});
  out.end();
}

}  // namespace

void run_revert(EngineContext& context, const std::string& table_name, const std::string& to,
                bool dry_run, ResultSink& sink) {
  const TablePointer table = table_named(context, table_name);
  refuse_view(context, *table);
  const catalog::VersionInfo target = context.catalog.version_at(*table, to);
  const RevertPlan plan(context, table, target);
  tell_dropped(plan, target, sink);
  if (dry_run) return show_plan(context, plan, sink);
  if (target.version == table->version) {
    tell_equal(*table, target, sink);
    return sink.done("REVERT 0", std::nullopt);
  }
  if (!table->views.empty()) return revert_tree(context, table, target, sink);
  Revert revert(context, table, target, sink);
  const auto version = revert.run();
  if (!version) tell_equal(*table, target, sink);
  if (revert.counts().errors > 0) {
    sink.notice(fmt::format("{} cells failed and are NULL; see: coppice errors {}",
                            revert.counts().errors, table->user_name()));
  }
  sink.done(fmt::format("REVERT {}", revert.counts().changed()), version);
}

}  // namespace coppice::engine
