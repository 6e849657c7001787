// ViewStage: the rows of one materialized view in one operation, from its parent's rows to the
// view's store.
//
// Model    A stage (engine/stage.h) with _parent, _source, _changed and the iterator's columns. It
//          follows the rows of its parent: those of the parent's stage, or, while the view is being
//          made, those of the parent's store. Each of these rows has one marker here, by _source
//          'p' (passed WHERE so far) or 'x' (nothing more to do), and _round of it says 0: terms of
//          WHERE that need workers are open, 1: its rows are not made, 2: done. Its rows are 'i'
//          (new), 'u' (the same row with other cells) and 'd' (gone).
//          bring_up() makes the stage follow the parent as it is now; what was computed stays, so
//          it may be called again, also by another process after a kill.
// Faults   All is kept in short transactions: a kill costs one batch.
// Errors   kComputation names the view, the parent's row and the cause.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "engine/stage.h"
#include "engine/view_recipe.h"

namespace coppice::engine {

// Where the rows are that a view is made from.
struct ParentRows {
  std::string relation;               // "coppice_store.s3_7", "coppice_store.t12"
  bool is_stage = false;              // else a store, of which the current rows count
  std::set<std::string> media_given;  // media columns whose cells were written anew: a URL that is
                                      // the same may have other content

  // What with _row names a row in it for ever.
  std::string key() const { return is_stage ? "_n" : "_from"; }
};

class ViewStage {
 public:
  ViewStage(EngineContext& context, const catalog::TablePointer& view,
            const catalog::TablePointer& parent, ParentRows rows,
            const catalog::Operation& operation);

  const catalog::TableInfo& view() const { return recipe_.view(); }
  const ViewRecipe& recipe() const { return recipe_; }
  const std::string& name() const { return stage_.name(); }

  void bring_up(ResultSink& sink);
  // Instead: the view's rows as they were at a version, whose parent's rows come back, too.
  void restore(const catalog::VersionInfo& target, ResultSink& sink);
  // In the transaction that publishes: how many rows it changed. nullopt: rows of the view were
  // changed meanwhile.
  std::optional<std::int64_t> move_rows();
  // The same for a view that is being made: its rows are new, and more may come.
  void move_new_rows();
  // Whether the parent has rows that are not here, or that are not there any more.
  bool is_behind();

 private:
  using Cells = std::vector<const ViewRecipe::Expression*>;

  void ensure();
  void drop_stale();
  // Markers for the parent's rows that have none, and what follows from old rows of the view.
  void load();
  void insert_markers();
  void settle_changed(const std::string& mask);
  void settle_new();
  void close_rows(const std::string& mask);
  void keep_rows(const ViewRecipe::Effect& effect, const std::string& mask);
  // Terms of WHERE that workers evaluate: over markers, or over rows that the iterator made.
  void judge(const Cells& terms, char candidates, ResultSink& sink);
  void make_rows(ResultSink& sink);
  void make_rows_by_sql();
  void expand(ResultSink& sink);
  void expand_batch(const pg::Result& rows, const exec::TextColumn& items, JobProgress& progress);
  void compute(ResultSink& sink);
  // Of rows of an action; of those 'u', the ones whose parent's row changed in this way.
  void compute_cells(const Cells& cells, const std::vector<const catalog::ColumnInfo*>& computed,
                     char action, const std::optional<std::string>& mask, ResultSink& sink);

  Cells all_cells() const;
  Cells by_sql(const Cells& cells) const;
  Cells by_workers(const Cells& cells) const;
  Cells terms(const std::vector<ViewRecipe::Expression>& of, bool over_iterator) const;
  exec::Plan plan_of(const Cells& expressions, const std::string& from, bool assign) const;
  std::string parent_as(const std::string& alias) const;
  std::string joined() const;  // the stage's rows with the parent's, and the iterator's columns
  std::string iterator_row(const std::string& cells) const;
  std::string made_row(const Cells& cells, std::string& names) const;
  RoundRows rows_where(const std::string& where, bool with_iterator) const;

  EngineContext& context_;
  catalog::TablePointer view_;
  ViewRecipe recipe_;
  ParentRows rows_;
  catalog::Operation operation_;
  Stage stage_;
  bool row_by_row_ = false;  // SQL failed over many rows: to learn over which
};

}  // namespace coppice::engine
