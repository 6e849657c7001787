#include "engine/view_stages.h"

#include <fmt/core.h>

#include <map>

namespace coppice::engine {
namespace {

using catalog::TableInfo;
using catalog::TablePointer;

// Media columns of the view that are made from cells which were written anew.
std::set<std::string> given_in(const ViewRecipe& recipe, const std::set<std::string>& media_given) {
  std::set<std::string> names;
  for (const ViewRecipe::Expression& cell : recipe.columns()) {
    if (!cell.column->media_kind()) continue;
    for (const std::int64_t id : cell.parent_reads) {
      const catalog::ColumnInfo* read = recipe.parent().column_by_id(id);
      if (read != nullptr && media_given.contains(read->name)) names.insert(cell.column->name);
    }
  }
  return names;
}

}  // namespace

std::vector<TablePointer> views_over(EngineContext& context, const TableInfo& table) {
  std::vector<TablePointer> views;
  const auto add = [&](const TableInfo& parent) {
    for (const std::int64_t id : parent.views) {
      if (TablePointer view = context.catalog.table_by_id(id)) views.push_back(std::move(view));
    }
  };
  add(table);
  for (std::size_t i = 0; i < views.size(); ++i) {
    const TablePointer view = views[i];
    add(*view);
  }
  return views;
}

TablePointer root_of(EngineContext& context, const TablePointer& table) {
  TablePointer root = table;
  while (root->view) root = context.catalog.table_by_id(root->view->parent_id);
  return root;
}

void ViewStages::bring_up(const Stage& base, const std::set<std::string>& media_given,
                          ResultSink& sink) {
  const TableInfo& table = base.table();
  if (table.views.empty()) return;
  if (!known_) {
    struct Parent {
      TablePointer table;
      ParentRows rows;
    };
    std::map<std::int64_t, Parent> parents;
    parents[table.table_id] = {base.table_pointer(), {base.name(), true, media_given}};
    for (const TablePointer& view : views_over(context_, table)) {
      const Parent& parent = parents.at(view->view->parent_id);
      const ViewStage& stage =
          stages_.emplace_back(context_, view, parent.table, parent.rows, operation_);
      parents[view->table_id] = {
          view, {stage.name(), true, given_in(stage.recipe(), parent.rows.media_given)}};
    }
    known_ = true;
  }
  for (ViewStage& stage : stages_) {
    const bool was_there = restores_ && stage.view().view->first_version <= restores_->version;
    if (was_there) {
      stage.restore(*restores_, sink);
    } else {
      stage.bring_up(sink);
    }
  }
}

std::optional<std::int64_t> ViewStages::move_rows() {
  std::int64_t moved = 0;
  for (ViewStage& stage : stages_) {
    const auto of_view = stage.move_rows();
    if (!of_view) return std::nullopt;
    moved += *of_view;
  }
  return moved;
}

void ViewStages::forget(const catalog::Operation& operation) {
  for (const ViewStage& stage : stages_) {
    context_.main.exec("DROP TABLE IF EXISTS " + stage.name());
  }
  stages_.clear();
  known_ = false;
  operation_ = operation;
}

}  // namespace coppice::engine
