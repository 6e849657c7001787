// References to a plan's columns inside expressions: coppice_plan.a7 is column 7. Not for use
// outside this component.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "sql/tree.h"

namespace coppice::exec {

inline constexpr std::string_view kPlanAlias = "coppice_plan";

std::string plan_column_name(int column);  // "a7"
sql::Node* make_plan_column(sql::Arena& arena, int column);
std::optional<int> plan_column_of(const sql::Node* node);
// Every column of the plan that the expression reads, ascending.
std::vector<int> plan_columns_in(const sql::Node* node);
bool has_plan_columns(const sql::Node* node);

}  // namespace coppice::exec
