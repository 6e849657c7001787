// Plan: how a list of bound expressions is computed over the rows of a source query.
//
// Model    A Plan works on numbered columns. The source query must select source_targets() in
//          their order; source_columns() says which columns they become. Each step then adds
//          columns: a FragmentStep has function workers evaluate calls of engine functions (a chain
//          of calls is one fragment), an SqlStep has PostgreSQL evaluate the SQL around their
//          results. The steps are in an order in which every column is there before it is read.
//          outputs() says which column holds each expression. CASE and coalesce stay lazy: a call
//          in a branch has a guard, a boolean column, and is made only for rows where that is true.
// Threads  Immutable after compile() and set_source_types().
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "exec/functions.h"
#include "pg/connection.h"
#include "sql/tree.h"
#include "workers/value.h"

namespace coppice::exec {

inline constexpr int kNoColumn = -1;

// An argument of the fragments of a step: a column, or a constant.
struct StepArgument {
  int column = kNoColumn;
  int guard = kNoColumn;  // where that column is not true the argument is NULL
  ValueType type = ValueType::kNull;
  Value constant;

  bool operator==(const StepArgument&) const = default;
};

struct PlannedFragment {
  Fragment fragment;  // its argument numbers count the step's arguments
  int column;         // where the result goes
  ValueType type;
  std::string text;            // the call as the user wrote it
  std::vector<int> arguments;  // all it reads, as numbers of the step's arguments
};

// All calls that can be made at the same time: one batch, so that a worker decodes once.
struct FragmentStep {
  std::vector<StepArgument> arguments;
  std::vector<PlannedFragment> fragments;
};

struct SqlOutput {
  std::string expression;   // SQL over coppice_plan.a0 …: the plan's columns
  std::vector<int> inputs;  // those it reads
  int column;
  std::string type;  // empty: it is only given out, its type does not matter here
  std::string text;  // as the user wrote it
};

struct SqlStep {
  std::vector<SqlOutput> outputs;
  std::vector<int> inputs() const;  // of all outputs
};

using PlanStep = std::variant<FragmentStep, SqlStep>;

struct CompileOptions {
  // Whether SQL without engine calls may be computed by the source query as a whole. Without, it
  // only fetches columns (and what cannot be moved: aggregates, subqueries, functions without
  // columns), so that a row on which the SQL fails costs that row's cell and nothing more.
  bool sql_in_source = true;
  // The expressions of GROUP BY, which the source query must compute.
  std::vector<const sql::Node*> grouped;
};

class Plan {
 public:
  static Plan compile(const std::vector<const sql::Node*>& expressions,
                      const FunctionTable& functions, const CompileOptions& options = {});

  const std::vector<std::string>& source_targets() const { return source_targets_; }
  const std::vector<int>& source_columns() const { return source_columns_; }
  const std::vector<PlanStep>& steps() const { return steps_; }
  const std::vector<int>& outputs() const { return outputs_; }
  int column_count() const { return static_cast<int>(types_.size()); }

  // The targets as they stand in the source query: "target AS a0, …"; empty when there are none.
  std::string select_list() const;

  // SqlSteps cast their inputs: the types of the source columns must be set before evaluation,
  // by hand or by asking the server about "SELECT <select_list()> <from>".
  bool needs_source_types() const;
  void set_source_types(const std::vector<std::string>& types);
  void describe_source(pg::Connection& connection, const std::string& from);
  // Empty when it is not known (a column that is only given out).
  const std::string& type_of(int column) const { return types_[static_cast<std::size_t>(column)]; }

  // One line a step: what PostgreSQL and what the workers do.
  std::string explain() const;

 private:
  friend class PlanCompiler;

  std::vector<std::string> source_targets_;
  std::vector<int> source_columns_;
  std::vector<std::string> types_;  // of every column
  std::vector<PlanStep> steps_;
  std::vector<int> outputs_;
};

// The statement of an SqlStep: its parameters are one text[] for each of `inputs`.
std::string sql_step_text(const Plan& plan, const std::vector<const SqlOutput*>& outputs,
                          const std::vector<int>& inputs);

}  // namespace coppice::exec
