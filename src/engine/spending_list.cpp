#include "engine/spending_list.h"

#include <fmt/core.h>

#include <array>
#include <string_view>

#include "engine/emit.h"
#include "pg/row_stream.h"

namespace coppice::engine {
namespace {

constexpr std::string_view kFigures =
    "sum(s.calls)::bigint AS calls, sum(s.failures)::bigint AS failures, "
    "sum(s.kept)::bigint AS kept, sum(s.requests)::bigint AS requests, "
    "sum(s.tokens_in)::bigint AS tokens_in, sum(s.tokens_out)::bigint AS tokens_out, "
    "trim_scale(sum(s.money)) AS money, $1::text AS currency, sum(s.seconds) AS seconds";
constexpr std::string_view kMoments = "min(s.begun_at) AS begun_at, max(s.ended_at) AS ended_at";

struct Form {
  std::string_view by, key, budget, joined;
};

// The budgets of functions are in their settings, that of a day in config.toml.
constexpr std::array kForms = {
    Form{"function", "s.function_id AS function", "max((f.settings->>'budget')::numeric) AS budget",
         "LEFT JOIN coppice.functions f ON f.function_id = s.function_id "
         "AND f.replaced_at IS NULL"},
    Form{"operation",
         "s.operation, max(o.kind) AS kind, max(o.table_name) AS \"table\", max(o.state) AS state",
         "trim_scale(max(o.budget)) AS budget",
         "LEFT JOIN coppice.operations o ON s.operation = format('%s-%s', o.tree_id, o.op_id)"},
    Form{"day", "s.day", "$2::numeric AS budget", ""}};

}  // namespace

void list_spending(EngineContext& context, const std::string& by, ResultSink& sink) {
  for (const Form& form : kForms) {
    if (form.by != by) continue;
    const std::string& per_day = context.config.text("budget.per_day");
    const std::string group = by == "operation" ? "s.operation" : by == "day" ? "s.day" : "1";
    const std::vector<pg::Parameter> values = {
        context.spending().currency(), per_day.empty() ? pg::Parameter() : pg::Parameter(per_day)};
    pg::RowStream rows(
        context.side(),
        fmt::format("SELECT {}, {}, {}, {} FROM coppice.spending s {} "
                    "WHERE $2::numeric IS NULL OR true GROUP BY {} ORDER BY max(s.ended_at) DESC",
                    form.key, kFigures, form.budget, kMoments, form.joined, group),
        values);
    emit_stream(context, rows, sink);
    return;
  }
  throw Error(ErrorCode::kUsage, fmt::format("spending is not listed by \"{}\"", by),
              "by function, operation or day");
}

SpentByHome spent_by_home(EngineContext& context) {
  const pg::Result row = context.main.exec(
      "SELECT coalesce(sum(money) FILTER (WHERE scope = 'home'), 0), "
      "coalesce(sum(money) FILTER (WHERE scope <> 'home'), 0) FROM coppice.spent "
      "WHERE scope IN ('home', 'day ' || (clock_timestamp() AT TIME ZONE 'UTC')::date)");
  return {Money::read(row.text(0, 0)), Money::read(row.text(0, 1))};
}

}  // namespace coppice::engine
