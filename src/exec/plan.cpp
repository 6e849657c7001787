#include "exec/plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/error.h"
#include "base/text.h"
#include "exec/plan_columns.h"
#include "exec/plan_compiler.h"

namespace coppice::exec {

std::vector<int> SqlStep::inputs() const {
  std::set<int> all;
  for (const SqlOutput& output : outputs) all.insert(output.inputs.begin(), output.inputs.end());
  return {all.begin(), all.end()};
}

Plan Plan::compile(const std::vector<const sql::Node*>& expressions, const FunctionTable& functions,
                   const CompileOptions& options) {
  PlanCompiler compiler(functions, options);
  for (const sql::Node* const expression : expressions) compiler.add_output(expression);
  return compiler.finish();
}

std::string Plan::select_list() const {
  std::string text;
  for (std::size_t i = 0; i < source_targets_.size(); ++i) {
    text += fmt::format("{}{} AS {}", i == 0 ? "" : ", ", source_targets_[i],
                        plan_column_name(source_columns_[i]));
  }
  return text;
}

bool Plan::needs_source_types() const {
  return std::any_of(steps_.begin(), steps_.end(),
                     [](const PlanStep& step) { return std::holds_alternative<SqlStep>(step); });
}

void Plan::set_source_types(const std::vector<std::string>& types) {
  COPPICE_ASSERT(types.size() == source_columns_.size());
  for (std::size_t i = 0; i < types.size(); ++i) {
    types_[static_cast<std::size_t>(source_columns_[i])] = types[i];
  }
}

void Plan::describe_source(pg::Connection& connection, const std::string& from) {
  const pg::Description description = connection.describe("SELECT " + select_list() + " " + from);
  std::vector<std::string> types;
  for (const pg::Column& column : description.columns) types.push_back(column.type_name);
  set_source_types(types);
}

std::string Plan::explain() const {
  std::string text;
  for (const PlanStep& step : steps_) {
    std::vector<std::string> items;
    if (const auto* sql = std::get_if<SqlStep>(&step)) {
      for (const SqlOutput& output : sql->outputs) items.push_back(output.text);
      text += fmt::format("PostgreSQL, on batches: {}\n", join(items, ", "));
    } else {
      for (const PlannedFragment& fragment : std::get<FragmentStep>(step).fragments) {
        items.push_back(fragment.text);
      }
      text += fmt::format("function workers: {}\n", join(items, ", "));
    }
  }
  return text;
}

std::string sql_step_text(const Plan& plan, const std::vector<const SqlOutput*>& outputs,
                          const std::vector<int>& inputs) {
  std::vector<std::string> results, casts, arrays, columns;
  for (const SqlOutput* const output : outputs) results.push_back("(" + output->expression + ")");
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const std::string& type = plan.type_of(inputs[i]);
    COPPICE_ASSERT(!type.empty());
    casts.push_back(fmt::format("x{}::{} AS {}", i, type, plan_column_name(inputs[i])));
    arrays.push_back(fmt::format("${}::text[]", i + 1));
    columns.push_back(fmt::format("x{}", i));
  }
  if (inputs.empty()) {
    arrays.push_back("$1::text[]");
    columns.push_back("x0");
  }
  casts.push_back("ord");
  columns.push_back("ord");
  return fmt::format(
      "SELECT {} FROM (SELECT {} FROM unnest({}) WITH ORDINALITY AS u({})) AS {} ORDER BY {}.ord",
      join(results, ", "), join(casts, ", "), join(arrays, ", "), join(columns, ", "), kPlanAlias,
      kPlanAlias);
}

}  // namespace coppice::exec
