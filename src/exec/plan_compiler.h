// PlanCompiler: makes a Plan. Not for use outside this component: Plan::compile() is the door.
//
// Model    Every column has a stage: source columns -1, columns of SQL even stages, columns of
//          engine calls odd ones, each greater than the stages of all it reads. Columns of one
//          stage make one step. An expression is computed once, however often it stands there,
//          unless it calls something volatile.
#pragma once

#include <map>
#include <set>
#include <string>
#include <unordered_set>
#include <vector>

#include "exec/plan.h"

namespace coppice::exec {

class PlanCompiler {
 public:
  PlanCompiler(const FunctionTable& functions, const CompileOptions& options);

  void add_output(const sql::Node* expression);
  Plan finish();

 private:
  struct CallItem {  // becomes a PlannedFragment
    PlannedFragment planned;
    std::vector<StepArgument> arguments;
  };

  // Each gives the column that holds the value where `guard` (kNoColumn: always) is true.
  int compile(sql::Node* node, int guard, const std::string& type);
  int compile_source(sql::Node* node);
  int compile_call(sql::Node* node, int guard);
  int compile_sql(sql::Node* node, int guard, const std::string& type);

  // `chains`: calls in the arguments may be parts of the same fragment.
  Fragment build_fragment(const PgQuery__FuncCall& call, int guard, CallItem& item, bool chains);
  Fragment build_argument(sql::Node* node, const Parameter& parameter, int guard, CallItem& item,
                          bool chains);

  void replace_parts(sql::Node*& slot, int guard);
  void replace_case(PgQuery__CaseExpr& choice, int guard);
  void replace_coalesce(PgQuery__CoalesceExpr& first, int guard);
  void replace_all(std::size_t count, sql::Node** items, int guard);
  sql::Node* column_node(int column);
  int and_guard(int guard, sql::Node* condition);

  bool has_call(const sql::Node* node) const;
  bool has_call(const sql::Message* message) const { return with_calls_.contains(message); }
  void find_calls(sql::Node* node);
  bool is_source_leaf(const sql::Node* node) const;
  bool is_volatile(const sql::Node* node) const;
  int new_column(int stage, const std::string& type);
  int last_stage(const std::vector<int>& columns) const;
  FragmentStep merge_calls(const std::vector<CallItem>& items) const;

  const FunctionTable& functions_;
  std::vector<const sql::Node*> grouped_;
  bool sql_in_source_;
  sql::Arena arena_;
  std::unordered_set<const sql::Message*> with_calls_;
  std::map<std::string, int> known_;  // deparsed text, kind and guard: the column that has it
  std::vector<std::string> targets_;
  std::vector<int> target_columns_;
  std::vector<int> stages_;
  std::vector<std::string> types_;
  std::map<int, std::vector<CallItem>> calls_;     // by stage
  std::map<int, std::vector<SqlOutput>> outputs_;  // by stage
  std::vector<int> plan_outputs_;
};

}  // namespace coppice::exec
