// Stage: the staging table of one operation, and its way into the store.
//
// Model    A stage has the columns of the store, and _n (order), _old (the _from of the row it
//          replaces; NULL for a new row), _source (of a row that ON CONFLICT made: the _n of the
//          row it was made from), _action ('i' insert, 'u' update, 'd' delete, 'x' left
//          out) and _round (how many rounds of computing are done).
//          Order of work: load rows, take_media(), check_…(), compute(), publish().
// Threads  As the context.
#pragma once

#include <functional>
#include <optional>
#include <set>
#include <utility>

#include "engine/compute.h"
#include "engine/context.h"
#include "engine/job_progress.h"

namespace coppice::engine {

// What a round of computing reads: rows of a stage, joined with what their cells are made from.
struct RoundRows {
  std::string from;
  std::string prefix;                                       // of _n, _row and _round: "v."
  std::string where;                                        // which of them
  std::vector<std::pair<std::string, std::string>> naming;  // for messages: a name and its SQL
};

// Rows of a round on their way.
struct StagedBatch {
  pg::Result rows;  // _n, _row, those of `naming`, what the plan reads
  ComputedBatch computed;
};

class Stage {
 public:
  // Creates the table and notes it in the operation.
  static Stage create(EngineContext& context, const catalog::TablePointer& table,
                      const catalog::Operation& operation);
  // An existing one, after an interruption.
  static Stage reopen(EngineContext& context, const catalog::TablePointer& table,
                      const catalog::Operation& operation);
  // That of a materialized view in the same operation ("coppice_store.s3_7_v12"), which is made by
  // engine/view_stage.h.
  static Stage of_view(EngineContext& context, const catalog::TablePointer& view,
                       const catalog::Operation& operation);

  const std::string& name() const { return name_; }  // "coppice_store.s3_7"
  const catalog::TableInfo& table() const { return *table_; }
  const catalog::TablePointer& table_pointer() const { return table_; }
  const catalog::Operation& operation() const { return operation_; }
  // A subselect with the user's column names, then _n, _row, _old, of rows that take part.
  std::string user_rows() const { return user_rows(*table_); }

  // A column beside the table's, that RETURNING reads; its values come with the rows.
  void add_along(const std::string& column, const std::string& type);

  // File names and URLs in media columns become media names; each is checked by its kind.
  // With skip_bad, rows whose file cannot be taken are left out with a notice.
  void take_media(const std::set<std::string>& columns, bool skip_bad, ResultSink& sink);
  // NOT NULL and CHECK, then keys, over columns that are not computed: before anything is computed.
  void check_constraints();
  void check_keys();
  // Computes `columns` for all rows, batch by batch; rows done by an earlier process are kept.
  // With `where`, for those; its rounds are numbered from `first_round`.
  void compute(const std::vector<const catalog::ColumnInfo*>& columns, ResultSink& sink,
               const std::string& where = {}, std::size_t first_round = 0);
  // One round by itself: for the rows that have done `number` rounds.
  void run_round(const ComputeRound& round, const RoundRows& rows, std::size_t number,
                 JobProgress& progress);

  // Moves the rows into the store and publishes. `returning` (a select list over the table's name)
  // is evaluated over the new rows, into `returned`. `along` moves what belongs to them, the rows
  // of views, and says false when rows that it read were changed meanwhile.
  struct Published {
    catalog::RowCounts counts;
    std::optional<std::int64_t> version;
    std::optional<pg::Result> returned;
    bool rows_changed = false;  // nothing was published: rows it read were changed meanwhile
  };
  Published publish(const std::string& returning, const std::string& alias,
                    const std::function<std::optional<std::int64_t>()>& along = {});
  // Leaves out rows whose old version is not current any more; gives their row ids. What ON
  // CONFLICT made them from takes part again.
  std::vector<std::int64_t> drop_stale_rows();
  void drop();

  // The table was altered: go on with its new description.
  void follow(const catalog::TablePointer& table, const catalog::Operation& operation);

  // For a resume: the columns whose values were given, and those still to be computed.
  void keep_plan(const std::set<std::string>& media,
                 const std::vector<const catalog::ColumnInfo*>& columns);
  std::set<std::string> kept_media() const;
  std::vector<const catalog::ColumnInfo*> kept_plan() const;

 private:
  Stage(EngineContext& context, catalog::TablePointer table, const catalog::Operation& operation,
        std::string name);
  std::string user_rows(const catalog::TableInfo& names, std::string_view actions = "'i', 'u'",
                        const std::string& where = {}) const;
  // Rounds are numbered from `first_round`; returns how many there were.
  std::size_t compute_rounds(const catalog::TableInfo& names,
                             const std::vector<const catalog::ColumnInfo*>& columns,
                             const std::string& where, std::size_t first_round, ResultSink& sink);
  std::vector<const catalog::ColumnInfo*> kept_columns(std::string_view key) const;
  void check_unique(const catalog::ConstraintInfo& constraint);
  void store_batch(const ComputeRound& round, std::int64_t round_number, const StagedBatch& batch,
                   JobProgress& progress);

  EngineContext& context_;
  catalog::TablePointer table_;
  catalog::Operation operation_;
  std::string name_;
  std::vector<std::string> along_;
};

// The staging tables of an operation, those of views too.
void drop_stage_tables(EngineContext& context, std::int64_t tree_id, std::int64_t op_id);

}  // namespace coppice::engine
