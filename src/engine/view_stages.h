// ViewStages: the stages of all materialized views over a table, in one operation.
//
// Model    Whatever an operation writes to a table, the views over it follow in their order of
//          dependency, each from the stage of its parent, and all is published together.
// Threads  As the context.
#pragma once

#include <deque>
#include <optional>
#include <set>
#include <string>

#include "engine/view_stage.h"

namespace coppice::engine {

class ViewStages {
 public:
  // `restores`: a revert to this version.
  ViewStages(EngineContext& context, const catalog::Operation& operation,
             std::optional<catalog::VersionInfo> restores = {})
      : context_(context), operation_(operation), restores_(std::move(restores)) {}

  // Makes the stages follow that of the table, whose rows are computed. `media_given`: its columns
  // whose media were written by the statement.
  void bring_up(const Stage& base, const std::set<std::string>& media_given, ResultSink& sink);
  // In the transaction that publishes: how many rows it changed. nullopt: rows of a view were
  // changed meanwhile.
  std::optional<std::int64_t> move_rows();
  // The tree was altered: all is made anew by the next bring_up().
  void forget(const catalog::Operation& operation);

 private:
  EngineContext& context_;
  catalog::Operation operation_;
  std::optional<catalog::VersionInfo> restores_;
  bool known_ = false;
  std::deque<ViewStage> stages_;  // each behind its parent's
};

// The materialized views over a table, directly or through others, each behind its parent.
std::vector<catalog::TablePointer> views_over(EngineContext& context,
                                              const catalog::TableInfo& table);

// The table at the root of the tree, whose version and retention are the tree's.
catalog::TablePointer root_of(EngineContext& context, const catalog::TablePointer& table);

}  // namespace coppice::engine
