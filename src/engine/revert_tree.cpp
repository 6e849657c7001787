#include "engine/revert_tree.h"

#include <fmt/core.h>

#include "engine/references.h"
#include "engine/revert_plan.h"
#include "engine/row_changes.h"
#include "engine/staged_run.h"
#include "pg/transaction.h"

namespace coppice::engine {
namespace {

using catalog::TableInfo;
using catalog::TablePointer;

constexpr int kMostRounds = 10;

std::int64_t version_of(EngineContext& context, std::int64_t tree_id, bool lock) {
  const pg::Result tree =
      context.main.exec_cached(fmt::format("SELECT version FROM coppice.trees WHERE tree_id = $1{}",
                                           lock ? " FOR UPDATE" : ""),
                               {std::to_string(tree_id)});
  if (tree.rows() == 0) throw Error(ErrorCode::kNotFound, "the table was dropped meanwhile");
  return tree.integer(0, 0);
}

void attempt(EngineContext& context, const TablePointer& table, const catalog::VersionInfo& target,
             ResultSink& sink) {
  const RevertPlan rows(context, table, target);
  std::int64_t seen = 0;
  StagedPlan plan;
  plan.kind = "revert";
  plan.tag = "REVERT";
  plan.alias = table->name.name;
  plan.restores = target;
  plan.computed = [&](const TableInfo&) { return rows.computed(); };
  plan.load = [&](Stage& stage, const std::vector<std::int64_t>&) {
    pg::Transaction transaction(context.main);
    use_change_indexes(context.main);
    seen = version_of(context, table->tree_id, false);
    context.main.exec(rows.load_all(stage.name()));
    bring_back_references(context, stage.operation(), *table, target.version, stage.name());
    transaction.commit();
  };
  plan.in_publish = [&] {
    if (version_of(context, table->tree_id, true) == seen) return;
    throw Error(ErrorCode::kConflict,
                fmt::format("other writers changed {} meanwhile", table->user_name()),
                "run the revert again");
  };
  run_staged(context, table,
             fmt::format("coppice revert {} --to {}", table->user_name(), target.version), plan,
             sink);
}

}  // namespace

void revert_tree(EngineContext& context, const TablePointer& table,
                 const catalog::VersionInfo& target, ResultSink& sink) {
  for (int round = 1;; ++round) {
    try {
      context.forget_catalog();
      const TablePointer now = context.catalog.table_by_id(table->table_id);
      if (now == nullptr) throw Error(ErrorCode::kNotFound, "the table was dropped meanwhile");
      return attempt(context, now, context.catalog.version_info(*now, target.version), sink);
    } catch (const Error& error) {
      if (error.code() != ErrorCode::kConflict || round == kMostRounds) throw;
    }
  }
}

}  // namespace coppice::engine
