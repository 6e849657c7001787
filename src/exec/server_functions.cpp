#include "exec/server_functions.h"

#include <algorithm>
#include <array>
#include <functional>
#include <string>
#include <string_view>

#include "exec/syntax.h"

namespace coppice::exec {
namespace {

using sql::as;
using sql::Node;

// PostgreSQL 15 and 16: aggregates that are called plainly. Sorted. Ordered-set and
// hypothetical-set aggregates are given away by WITHIN GROUP.
constexpr std::array<std::string_view, 39> kAggregates = {"any_value",
                                                          "array_agg",
                                                          "avg",
                                                          "bit_and",
                                                          "bit_or",
                                                          "bit_xor",
                                                          "bool_and",
                                                          "bool_or",
                                                          "corr",
                                                          "count",
                                                          "covar_pop",
                                                          "covar_samp",
                                                          "every",
                                                          "json_agg",
                                                          "json_object_agg",
                                                          "jsonb_agg",
                                                          "jsonb_object_agg",
                                                          "max",
                                                          "min",
                                                          "range_agg",
                                                          "range_intersect_agg",
                                                          "regr_avgx",
                                                          "regr_avgy",
                                                          "regr_count",
                                                          "regr_intercept",
                                                          "regr_r2",
                                                          "regr_slope",
                                                          "regr_sxx",
                                                          "regr_sxy",
                                                          "regr_syy",
                                                          "stddev",
                                                          "stddev_pop",
                                                          "stddev_samp",
                                                          "string_agg",
                                                          "sum",
                                                          "var_pop",
                                                          "var_samp",
                                                          "variance",
                                                          "xmlagg"};

constexpr std::array<std::string_view, 7> kVolatile = {
    "clock_timestamp", "gen_random_uuid", "nextval", "pg_sleep", "random", "setval", "timeofday"};

constexpr std::array<std::string_view, 21> kSetReturning = {"generate_series",
                                                            "generate_subscripts",
                                                            "json_array_elements",
                                                            "json_array_elements_text",
                                                            "json_each",
                                                            "json_each_text",
                                                            "json_object_keys",
                                                            "json_populate_recordset",
                                                            "jsonb_array_elements",
                                                            "jsonb_array_elements_text",
                                                            "jsonb_each",
                                                            "jsonb_each_text",
                                                            "jsonb_object_keys",
                                                            "jsonb_path_query",
                                                            "jsonb_populate_recordset",
                                                            "regexp_matches",
                                                            "regexp_split_to_table",
                                                            "string_to_table",
                                                            "unnest",
                                                            "ts_stat",
                                                            "pg_ls_dir"};

bool is_known_aggregate(std::string_view name) {
  return std::binary_search(kAggregates.begin(), kAggregates.end(), name);
}

template <std::size_t kSize>
bool is_one_of(const std::array<std::string_view, kSize>& names, const PgQuery__FuncCall& call) {
  return std::find(names.begin(), names.end(), called_name(call)) != names.end();
}

bool any_call(const Node* expression, const std::function<bool(const PgQuery__FuncCall&)>& test) {
  return !sql::walk(const_cast<Node*>(expression), [&](sql::Message& message) {
    if (as<PgQuery__SelectStmt>(message)) return sql::Visit::kSkip;
    const auto* const call = as<PgQuery__FuncCall>(message);
    return call && test(*call) ? sql::Visit::kStop : sql::Visit::kInto;
  });
}

}  // namespace

bool has_volatile_call(const Node* expression) {
  return !sql::walk(const_cast<Node*>(expression), [](sql::Message& message) {
    const auto* const call = as<PgQuery__FuncCall>(message);
    return call && is_one_of(kVolatile, *call) ? sql::Visit::kStop : sql::Visit::kInto;
  });
}

bool has_set_returning_call(const Node* expression) {
  return any_call(expression,
                  [](const PgQuery__FuncCall& call) { return is_one_of(kSetReturning, call); });
}

bool is_window_call(const PgQuery__FuncCall& call) { return call.over != nullptr; }

bool is_aggregate_call(const PgQuery__FuncCall& call) {
  if (call.over) return false;
  const bool by_syntax = call.agg_star || call.agg_distinct || call.agg_within_group ||
                         call.agg_filter || call.n_agg_order > 0;
  if (by_syntax) return true;
  const bool in_reach =
      call.n_funcname == 1 || sql::names_in(1, call.funcname).front() == "pg_catalog";
  return in_reach && is_known_aggregate(called_name(call));
}

bool has_aggregate(const Node* expression) { return any_call(expression, is_aggregate_call); }

bool has_window_call(const Node* expression) { return any_call(expression, is_window_call); }

bool is_grouped(const PgQuery__SelectStmt& select) {
  if (select.n_group_clause > 0 || select.having_clause) return true;
  const auto targets = sql::nodes(select.n_target_list, select.target_list);
  const auto order = sql::nodes(select.n_sort_clause, select.sort_clause);
  return std::any_of(targets.begin(), targets.end(), has_aggregate) ||
         std::any_of(order.begin(), order.end(), has_aggregate);
}

}  // namespace coppice::exec
