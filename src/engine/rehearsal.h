// Rehearsal: a statement over a sample of its rows, by the same steps and stored nowhere.
//
// Model    While it is the context's, writes come here instead of being carried out: their rows are
//          drawn at random from all over, in groups; each group is staged, computed and followed by
//          views as the statement would do it, looked at, and dropped. What calls of functions gave
//          is kept as ever; a cell that fails is counted. The operation that this takes is drawn
//          from the tree, so that a killed rehearsal is listed and can be discarded; one that ends
//          leaves no trace of it.
// Threads  As the context.
// Errors   kUnsupported for what cannot be rehearsed, those of the statement, kPaused.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "engine/context.h"
#include "engine/fill.h"
#include "engine/staged_run.h"
#include "engine/view_query.h"
#include "sql/parse.h"

namespace coppice::engine {

// What a group of rows took.
struct GroupFigures {
  double units = 0;                    // rows of the sample
  std::map<std::string, double> rows;  // made, by table and view
  std::map<std::string, Usage> usage;  // by function
  double failures = 0;                 // cells
  double seconds = 0;                  // by the clock
};

struct RehearsalFigures {
  double total_units = 0;  // rows that the statement has in all
  bool counted = true;     // else total_units is the planner's guess
  std::string unit_table;  // whose rows they are
  std::vector<GroupFigures> groups;
  double idle_seconds = 0;  // what a group of no rows takes
};

class Rehearsal {
 public:
  // `sample_rows` 0: as many as are usual for the statement.
  Rehearsal(EngineContext& context, std::int64_t sample_rows, std::string statement);
  ~Rehearsal();
  Rehearsal(const Rehearsal&) = delete;
  Rehearsal& operator=(const Rehearsal&) = delete;

  // Instead of what they are called in: run_staged, load_query, fill_column, create_table_as,
  // create_materialized_view.
  void staged(catalog::TablePointer table, const StagedPlan& plan);
  void load(const Stage& stage, const std::vector<std::string>& columns,
            const std::vector<std::string>& types, sql::Statement& query);
  void fill(const FillRequest& request);
  void table_as(const std::string& table, const std::vector<std::string>& types,
                const std::string& query);
  void view(const ViewQuery& query);
  void note_failure() { ++failures_; }

  const RehearsalFigures& figures() const { return figures_; }

 private:
  using Load = std::function<void(sql::Statement& query)>;

  // Runs `group` once for each group of the sample, and once for none of it.
  void run_groups(const std::function<void(GroupFigures&)>& group);
  void measure(const std::function<void(GroupFigures&)>& group, GroupFigures& figures);
  void set_sample(std::int64_t total, bool uses_workers);
  std::pair<std::int64_t, std::int64_t> bounds() const;  // of the group, in the sample
  void sample_rows_of(const std::string& ids_query, bool uses_workers);
  std::string ids_of_group() const;
  void load_group(sql::Statement& query, const Load& load);
  void load_values(sql::Statement& query, const Load& load);
  void load_by_sql(sql::Statement& query, const Load& load);
  void load_by_engine(sql::Statement& query, const Load& load);
  void begin(const catalog::TableInfo& table);
  void count_stage(const Stage& stage, GroupFigures& figures);
  void drop_scratch();

  EngineContext& context_;
  const std::int64_t asked_rows_;
  const std::string statement_;
  SpendingScope spending_;
  std::optional<catalog::Operation> operation_;
  std::int64_t sample_ = -1;  // rows of it; not known yet
  std::int64_t groups_ = 1;
  std::int64_t group_ = 0;
  bool empty_group_ = false;
  bool has_view_store_ = false;
  bool has_ids_ = false;           // the plan is given the rows: its query is not sampled
  std::vector<std::int64_t> ids_;  // of rows, or numbers of VALUES
  std::string order_;              // what makes the order of a query's rows random
  double failures_ = 0;
  RehearsalFigures figures_;
};

}  // namespace coppice::engine
