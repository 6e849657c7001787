#include "exec/plan_columns.h"

#include <set>

#include "exec/syntax.h"

namespace coppice::exec {
namespace {

using sql::as;

std::optional<int> column_of(const PgQuery__ColumnRef& reference) {
  if (reference.n_fields != 2) return std::nullopt;
  const std::vector<std::string> names = sql::column_ref_names(reference);
  if (names[0] != kPlanAlias) return std::nullopt;
  return std::stoi(names[1].substr(1));
}

}  // namespace

std::string plan_column_name(int column) { return "a" + std::to_string(column); }

sql::Node* make_plan_column(sql::Arena& arena, int column) {
  return sql::make::column(arena, {kPlanAlias, plan_column_name(column)});
}

std::optional<int> plan_column_of(const sql::Node* node) {
  const auto* const reference = as<PgQuery__ColumnRef>(node);
  return reference ? column_of(*reference) : std::nullopt;
}

std::vector<int> plan_columns_in(const sql::Node* node) {
  std::set<int> columns;
  sql::walk(const_cast<sql::Node*>(node), [&](sql::Message& message) {
    if (const auto* reference = as<PgQuery__ColumnRef>(message)) {
      if (const auto column = column_of(*reference)) columns.insert(*column);
    }
    return sql::Visit::kInto;
  });
  return {columns.begin(), columns.end()};
}

bool has_plan_columns(const sql::Node* node) { return !plan_columns_in(node).empty(); }

}  // namespace coppice::exec
