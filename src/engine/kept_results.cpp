#include "engine/kept_results.h"

#include <fmt/core.h>

#include "base/text.h"
#include "engine/emit.h"
#include "pg/row_stream.h"

namespace coppice::engine {
namespace {

// Bytes of the row with what the key's index holds of it; media are counted once for each result
// that names them.
constexpr std::string_view kSummary =
    "SELECT r.function_id AS function, left(r.code, 12) AS code, "
    "CASE WHEN f.function_id IS NULL THEN 'stale' ELSE 'current' END AS state, "
    "count(*) AS results, sum(pg_column_size(r) + coalesce(m.size_bytes, 0))::bigint AS bytes, "
    "sum(r.hits)::bigint AS hits, sum(r.seconds) AS seconds_taken, "
    "sum(r.seconds * r.hits) AS seconds_saved, trim_scale(sum(r.money)) AS money_spent, "
    "trim_scale(sum(r.money * r.hits)) AS money_saved, max(r.used_at) AS used_at "
    "FROM coppice.results r "
    "LEFT JOIN coppice.media m ON m.name = r.media "
    "LEFT JOIN coppice.functions f ON f.function_id = r.function_id AND f.digest = r.code "
    "AND f.replaced_at IS NULL ";

// $1: function or NULL, $2: age or NULL, $3: stale ones only.
constexpr std::string_view kChosen =
    "WHERE ($1::text IS NULL OR r.function_id = $1 "
    "OR r.function_id LIKE replace(replace(replace($1, '\\', '\\\\'), '_', '\\_'), '%', '\\%') || "
    "'(%') AND ($2::text IS NULL OR r.used_at < clock_timestamp() - $2::interval) "
    "AND (NOT $3::boolean OR NOT EXISTS (SELECT 1 FROM coppice.functions f "
    "WHERE f.function_id = r.function_id AND f.digest = r.code AND f.replaced_at IS NULL)) ";

void refuse_unclear(const ResultsToPrune& which) {
  if (which.function || which.unused_for || which.stale || which.all) return;
  throw Error(ErrorCode::kUsage, "say which results are to go",
              "--stale, --unused-for '30 days', --function NAME or --all");
}

// "twice" and "twice(bigint)" are those of public.
std::string full_name(const std::string& function) {
  const std::string name = function.substr(0, function.find('('));
  return name.find('.') == std::string::npos ? "public." + function : function;
}

void refuse_unknown(EngineContext& context, const std::string& function) {
  const pg::Result names = context.main.exec(
      "SELECT DISTINCT function_id, split_part(function_id, '(', 1) FROM coppice.results");
  std::vector<std::string> known;
  for (int row = 0; row < names.rows(); ++row) {
    if (names.text(row, 0) == function || names.text(row, 1) == function) return;
    known.emplace_back(names.text(row, 1));
  }
  throw Error(ErrorCode::kNotFound, fmt::format("there are no results of {}", function),
              known.empty() ? "no results are kept yet" : did_you_mean(function, known));
}

}  // namespace

void list_results(EngineContext& context, ResultSink& sink) {
  pg::RowStream rows(context.side(),
                     std::string(kSummary) + "GROUP BY 1, r.code, 3 ORDER BY 1, max(r.made_at)");
  emit_stream(context, rows, sink);
}

void prune_results(EngineContext& context, const ResultsToPrune& which, bool dry_run,
                   ResultSink& sink) {
  refuse_unclear(which);
  std::vector<pg::Parameter> values(3);
  if (which.function) {
    values[0] = full_name(*which.function);
    refuse_unknown(context, full_name(*which.function));
  }
  if (which.unused_for) values[1] = *which.unused_for;
  values[2] = which.stale ? "t" : "f";
  try {
    if (dry_run) {
      emit_result(context,
                  context.main.exec_params(std::string(kSummary) + std::string(kChosen) +
                                               "GROUP BY 1, r.code, 3 ORDER BY 1",
                                           values),
                  sink);
      return;
    }
    const pg::Result removed =
        context.main.exec_params("DELETE FROM coppice.results r " + std::string(kChosen), values);
    sink.done(fmt::format("PRUNE {}", removed.affected_rows()), std::nullopt);
  } catch (const pg::ServerError& error) {
    if (!which.unused_for || !error.sqlstate().starts_with("22")) throw;
    throw Error(ErrorCode::kUsage, fmt::format("\"{}\" is not an age", *which.unused_for),
                "write a number and a unit: '30 days'");
  }
}

}  // namespace coppice::engine
