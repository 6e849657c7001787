#include "exec/plan_compiler.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>

#include "exec/constants.h"
#include "exec/kinds.h"
#include "exec/plan_columns.h"
#include "exec/server_functions.h"
#include "exec/syntax.h"
#include "sql/deparse.h"

namespace coppice::exec {
namespace {

using sql::as;
using sql::Message;
using sql::Node;
using sql::Visit;

constexpr int kSourceStage = -1;
constexpr std::string_view kBoolean = "boolean";

// Stages of SQL are even, those of calls odd.
int next_sql_stage(int after) { return after < 0 ? 0 : after + (after % 2 == 0 ? 2 : 1); }
int next_call_stage(int after) { return after < 0 ? 1 : after + (after % 2 == 0 ? 1 : 2); }

std::string deparsed(const Node* node) { return sql::deparse_expression(node); }

bool reads_columns(const Node* node) {
  return !sql::walk(const_cast<Node*>(node), [](Message& message) {
    return as<PgQuery__ColumnRef>(message) ? Visit::kStop : Visit::kInto;
  });
}

// What the binder's cast is around; `type` is the parameter's.
Node* without_cast(Node* node, ValueType type) {
  const auto* const cast = as<PgQuery__TypeCast>(node);
  if (!cast) return node;
  const std::optional<MediaKind> kind = media_kind_of(type);
  if (kind) {
    return media_kind_of_type_name(*cast->type_name) == kind ? without_cast(cast->arg, type) : node;
  }
  return sql::type_text(*cast->type_name) == sql_name_of(type) ? cast->arg : node;
}

}  // namespace

PlanCompiler::PlanCompiler(const FunctionTable& functions, const CompileOptions& options)
    : functions_(functions), grouped_(options.grouped), sql_in_source_(options.sql_in_source) {}

void PlanCompiler::add_output(const Node* expression) {
  with_stack_for(expression, [&] {
    Node* copy = sql::clone(arena_, expression);
    // PostgreSQL checks what a function gives as JSON, and writes it in its own form.
    const auto* const call = as<PgQuery__FuncCall>(copy);
    const Signature* const signature = call ? bound_signature(*call, functions_) : nullptr;
    if (signature && signature->result == ValueType::kJson) {
      copy = sql::make::type_cast(arena_, copy, server_type_name(ValueType::kJson));
    }
    find_calls(copy);
    plan_outputs_.push_back(compile(copy, kNoColumn, ""));
  });
}

// Notes every message that an engine call is in or below.
void PlanCompiler::find_calls(Node* node) {
  std::vector<std::pair<Message*, std::size_t>> found;  // each with the place of its parent
  if (Message* const root = sql::message_of(node)) found.emplace_back(root, 0);
  for (std::size_t i = 0; i < found.size(); ++i) {
    sql::for_each_child(*found[i].first, [&](Message& child) { found.emplace_back(&child, i); });
  }
  for (std::size_t i = found.size(); i-- > 0;) {
    const auto [message, parent] = found[i];
    const auto* const call = as<PgQuery__FuncCall>(message);
    if (call && bound_signature(*call, functions_)) with_calls_.insert(message);
    if (with_calls_.contains(message)) with_calls_.insert(found[parent].first);
  }
}

bool PlanCompiler::has_call(const Node* node) const {
  return with_calls_.contains(sql::message_of(const_cast<Node*>(node)));
}

int PlanCompiler::compile(Node* node, int guard, const std::string& type) {
  if (const auto column = plan_column_of(node)) return *column;
  const auto* const call = as<PgQuery__FuncCall>(node);
  if (call && bound_signature(*call, functions_)) return compile_call(node, guard);
  const bool all_in_source = sql_in_source_ && guard == kNoColumn && !has_plan_columns(node);
  if (!has_call(node) && (all_in_source || is_source_leaf(node))) return compile_source(node);
  return compile_sql(node, guard, type);
}

int PlanCompiler::compile_source(Node* node) {
  const auto* const reference = as<PgQuery__ColumnRef>(node);
  if (reference && is_star(*reference)) {
    throw Error(ErrorCode::kUnsupported,
                "a whole row (" + deparsed(node) + ") cannot stand beside engine functions",
                "Write out the columns.");
  }
  const std::string text = deparsed(node);
  const std::string key = "source " + text;
  if (const auto known = known_.find(key); known != known_.end()) return known->second;
  const int column = new_column(kSourceStage, "");
  targets_.push_back(text);
  target_columns_.push_back(column);
  if (!is_volatile(node)) known_[key] = column;
  return column;
}

int PlanCompiler::compile_call(Node* node, int guard) {
  const std::string call_key = "call " + deparsed(node) + " where ";
  // What is computed for every row serves under a guard too.
  for (const int any : {kNoColumn, guard}) {
    const auto known = known_.find(call_key + std::to_string(any));
    if (known != known_.end()) return known->second;
  }
  const bool again = is_volatile(node);
  CallItem item;
  const auto& call = *as<PgQuery__FuncCall>(node);
  item.planned.text = user_text(node);
  item.planned.type = bound_signature(call, functions_)->result;
  const bool chains = bound_signature(call, functions_)->is_builtin();
  item.planned.fragment = build_fragment(call, guard, item, chains);
  std::vector<int> read;
  for (std::size_t i = 0; i < item.arguments.size(); ++i) {
    item.planned.arguments.push_back(static_cast<int>(i));
    read.push_back(item.arguments[i].column);
    read.push_back(item.arguments[i].guard);
  }
  const int stage = next_call_stage(last_stage(read));
  const int column = new_column(stage, server_type_name(item.planned.type));
  item.planned.column = column;
  calls_[stage].push_back(std::move(item));
  if (!again) known_[call_key + std::to_string(guard)] = column;
  return column;
}

Fragment PlanCompiler::build_fragment(const PgQuery__FuncCall& call, int guard, CallItem& item,
                                      bool chains) {
  const Signature& signature = *bound_signature(call, functions_);
  COPPICE_ASSERT(call.n_args == signature.parameters.size());
  Fragment fragment;
  fragment.function = signature.id;
  for (std::size_t i = 0; i < call.n_args; ++i) {
    fragment.children.push_back(
        build_argument(call.args[i], signature.parameters[i], guard, item, chains));
  }
  return fragment;
}

Fragment PlanCompiler::build_argument(Node* node, const Parameter& parameter, int guard,
                                      CallItem& item, bool chains) {
  Node* const value = without_cast(node, parameter.type);
  const auto* const call = as<PgQuery__FuncCall>(value);
  const Signature* const inner = call ? bound_signature(*call, functions_) : nullptr;
  // Only coppice-media evaluates chains; what another place gives is a column.
  if (inner && inner->result == parameter.type && inner->is_builtin() && chains) {
    return build_fragment(*call, guard, item, chains);
  }

  StepArgument argument;
  argument.guard = guard;
  argument.type = parameter.type;
  if (auto constant = constant_value(value, parameter.type)) {
    argument.constant = std::move(*constant);
  } else {
    // Media are text either way; scalars of another type need the cast.
    const bool fits = is_media(parameter.type) || (inner && inner->result == parameter.type);
    Node* const source = fits ? value : node;
    argument.column = compile(source, guard, server_type_name(parameter.type));
  }
  Fragment fragment;
  const auto same = std::find(item.arguments.begin(), item.arguments.end(), argument);
  fragment.argument = static_cast<int>(same - item.arguments.begin());
  if (same == item.arguments.end()) item.arguments.push_back(std::move(argument));
  return fragment;
}

int PlanCompiler::compile_sql(Node* node, int guard, const std::string& type) {
  const std::string text = deparsed(node);
  const std::string key = "sql " + text + " as " + type + " where " + std::to_string(guard);
  if (const auto known = known_.find(key); known != known_.end()) return known->second;
  const bool again = is_volatile(node);
  SqlOutput output;
  output.text = user_text(node);
  output.type = type;
  replace_parts(node, guard);
  if (guard != kNoColumn) node = make_case(arena_, column_node(guard), node);
  output.expression = deparsed(node);
  output.inputs = plan_columns_in(node);
  const int stage = next_sql_stage(last_stage(output.inputs));
  output.column = new_column(stage, type);
  const int column = output.column;
  outputs_[stage].push_back(std::move(output));
  if (!again) known_[key] = column;
  return column;
}

// Puts columns of the plan where calls and columns of the source stand.
void PlanCompiler::replace_parts(Node*& root, int guard) {
  sql::rewrite_top_down(root, [&](Node*& slot) {
    if (plan_column_of(slot)) return Visit::kSkip;
    if (!has_call(slot)) {
      if (!is_source_leaf(slot)) return Visit::kInto;
      slot = column_node(compile_source(slot));
      return Visit::kSkip;
    }
    const auto* const call = as<PgQuery__FuncCall>(slot);
    if (call && bound_signature(*call, functions_)) {
      slot = column_node(compile_call(slot, guard));
      return Visit::kSkip;
    }
    if (auto* const choice = as<PgQuery__CaseExpr>(slot)) {
      replace_case(*choice, guard);
      return Visit::kSkip;
    }
    if (auto* const first = as<PgQuery__CoalesceExpr>(slot)) {
      replace_coalesce(*first, guard);
      return Visit::kSkip;
    }
    return Visit::kInto;
  });
}

void PlanCompiler::replace_all(std::size_t count, Node** items, int guard) {
  for (Node*& item : sql::nodes(count, items)) replace_parts(item, guard);
}

void PlanCompiler::replace_case(PgQuery__CaseExpr& choice, int guard) {
  if (choice.arg) replace_parts(choice.arg, guard);
  int reached = guard;  // where no branch before was taken
  for (Node* const item : sql::nodes(choice.n_args, choice.args)) {
    auto& branch = *as<PgQuery__CaseWhen>(item);
    if (choice.arg) {
      branch.expr =
          sql::make::binary_operator(arena_, "=", sql::clone(arena_, choice.arg), branch.expr);
      find_calls(branch.expr);
    }
    const int condition = compile(branch.expr, reached, std::string(kBoolean));
    branch.expr = column_node(condition);
    if (has_call(branch.result)) {
      replace_parts(branch.result, and_guard(reached, column_node(condition)));
    } else {
      replace_parts(branch.result, guard);
    }
    reached = and_guard(reached, make_is_not_true(arena_, column_node(condition)));
  }
  choice.arg = nullptr;
  if (choice.defresult) replace_parts(choice.defresult, reached);
}

void PlanCompiler::replace_coalesce(PgQuery__CoalesceExpr& first, int guard) {
  std::size_t last_call = 0;
  for (std::size_t i = 0; i < first.n_args; ++i) {
    if (has_call(first.args[i])) last_call = i;
  }
  int reached = guard;  // where all before were NULL
  for (std::size_t i = 0; i < first.n_args; ++i) {
    replace_parts(first.args[i], has_call(first.args[i]) ? reached : guard);
    if (i >= last_call) continue;
    Node* const copy = sql::clone(arena_, first.args[i]);
    reached = and_guard(reached, sql::make::is_null(arena_, copy));
  }
}

Node* PlanCompiler::column_node(int column) { return make_plan_column(arena_, column); }

int PlanCompiler::and_guard(int guard, Node* condition) {
  if (guard == kNoColumn) return compile(condition, kNoColumn, std::string(kBoolean));
  const std::array<Node*, 2> terms = {column_node(guard), condition};
  return compile_sql(sql::make::and_of(arena_, terms), kNoColumn, std::string(kBoolean));
}

bool PlanCompiler::is_source_leaf(const Node* node) const {
  if (!sql::message_of(const_cast<Node*>(node))) return false;
  const auto is = [&](const Node* expression) { return sql::equal(expression, node); };
  if (std::any_of(grouped_.begin(), grouped_.end(), is)) return true;
  if (const auto* call = as<PgQuery__FuncCall>(node)) {
    return is_aggregate_call(*call) || is_window_call(*call) || !reads_columns(node);
  }
  return as<PgQuery__ColumnRef>(node) || as<PgQuery__SubLink>(node) ||
         as<PgQuery__ParamRef>(node) || as<PgQuery__SQLValueFunction>(node) ||
         node->node_case == PG_QUERY__NODE__NODE_GROUPING_FUNC;
}

bool PlanCompiler::is_volatile(const Node* node) const {
  if (has_volatile_call(node)) return true;
  return !sql::walk(const_cast<Node*>(node), [&](Message& message) {
    const auto* const call = as<PgQuery__FuncCall>(message);
    const Signature* const signature = call ? bound_signature(*call, functions_) : nullptr;
    const bool changes = signature && signature->volatility == Volatility::kVolatile;
    return changes ? Visit::kStop : Visit::kInto;
  });
}

int PlanCompiler::new_column(int stage, const std::string& type) {
  stages_.push_back(stage);
  types_.push_back(type);
  return static_cast<int>(stages_.size()) - 1;
}

int PlanCompiler::last_stage(const std::vector<int>& columns) const {
  int last = kSourceStage;
  for (const int column : columns) {
    if (column != kNoColumn) last = std::max(last, stages_[static_cast<std::size_t>(column)]);
  }
  return last;
}

namespace {

void renumber(Fragment& fragment, const std::vector<int>& numbers) {
  if (fragment.is_argument()) {
    fragment.argument = numbers[static_cast<std::size_t>(fragment.argument)];
  }
  for (Fragment& child : fragment.children) renumber(child, numbers);
}

}  // namespace

FragmentStep PlanCompiler::merge_calls(const std::vector<CallItem>& items) const {
  FragmentStep step;
  for (const CallItem& item : items) {
    std::vector<int> numbers;
    for (const StepArgument& argument : item.arguments) {
      const auto same = std::find(step.arguments.begin(), step.arguments.end(), argument);
      numbers.push_back(static_cast<int>(same - step.arguments.begin()));
      if (same == step.arguments.end()) step.arguments.push_back(argument);
    }
    PlannedFragment planned = item.planned;
    renumber(planned.fragment, numbers);
    planned.arguments = numbers;
    step.fragments.push_back(std::move(planned));
  }
  return step;
}

Plan PlanCompiler::finish() {
  Plan plan;
  plan.source_targets_ = targets_;
  plan.source_columns_ = target_columns_;
  plan.types_ = types_;
  plan.outputs_ = plan_outputs_;
  const int last =
      stages_.empty() ? kSourceStage : *std::max_element(stages_.begin(), stages_.end());
  for (int stage = 0; stage <= last; ++stage) {
    if (const auto sql = outputs_.find(stage); sql != outputs_.end()) {
      plan.steps_.emplace_back(SqlStep{sql->second});
    }
    if (const auto calls = calls_.find(stage); calls != calls_.end()) {
      plan.steps_.emplace_back(merge_calls(calls->second));
    }
  }
  return plan;
}

}  // namespace coppice::exec
