#include "engine/jobs.h"

#include <fmt/core.h>

#include "base/files.h"
#include "engine/background.h"
#include "engine/emit.h"
#include "engine/fill.h"
#include "engine/materialized_view.h"
#include "engine/stage.h"
#include "engine/staged_write.h"
#include "pg/row_stream.h"

namespace coppice::engine {
namespace {

constexpr std::uint64_t kMostListed = 100;

// Of an operation o: how fast it is, and how long it may take. Rounded: it is an estimate.
constexpr const char* kPace =
    "round(coppice.progress_rate(o)::numeric, 1) AS rows_per_second, "
    "CASE WHEN coppice.progress_rate(o) > 0 THEN ceil((o.progress_total - o.progress_done) / "
    "coppice.progress_rate(o))::bigint END AS seconds_left";

// What a job that runs was asked for, until it has ended.
constexpr const char* kMessage =
    "coalesce(CASE WHEN o.state = 'running' AND o.asked IS NOT NULL "
    "THEN format('%s asked to %s it', o.asked_by, o.asked) END, o.message) AS message";

// What its calls have cost so far.
constexpr const char* kSpent =
    "(SELECT trim_scale(s.money) FROM coppice.spent s "
    "WHERE s.scope = format('operation %s-%s', o.tree_id, o.op_id)) AS money";

void refuse_running(const Job& job, const std::string& text) {
  if (!job.runs()) return;
  throw Error(
      ErrorCode::kRefused, fmt::format("job {} is running", text),
      fmt::format("wait for it: coppice jobs wait {0}; if it is a fill, coppice jobs work {0} "
                  "helps",
                  text));
}

void drop_stage(EngineContext& context, const Job& job) {
  // The name comes from the catalog, but goes into SQL as it is.
  const std::string expected = fmt::format("coppice_store.s{}_{}", job.id.tree, job.id.operation);
  if (job.stage_name != expected) {
    throw Error(ErrorCode::kIntegrity,
                fmt::format("operation {}-{} names \"{}\" as its staging table", job.id.tree,
                            job.id.operation, *job.stage_name),
                "the catalog was changed by hand; nothing was done");
  }
  drop_stage_tables(context, job.id.tree, job.id.operation);
}

// The end of what a background job has printed.
std::optional<std::string> log_tail(EngineContext& context, const std::string& id) {
  constexpr std::size_t kMostBytes = 4000;
  const std::filesystem::path file = job_log_file(context.config, id);
  if (!std::filesystem::exists(file)) return std::nullopt;
  std::string text = read_file(file);
  if (text.size() > kMostBytes) {
    const std::size_t line = text.find('\n', text.size() - kMostBytes);
    text.erase(0, line == std::string::npos ? text.size() - kMostBytes : line + 1);
  }
  while (text.ends_with('\n')) text.pop_back();
  return text;
}

}  // namespace

void list_jobs(EngineContext& context, bool all, ResultSink& sink) {
  context.log.settle_abandoned();
  const std::string query = fmt::format(
      "SELECT format('%s-%s', o.tree_id, o.op_id) AS id, o.table_name AS \"table\", o.kind, "
      "o.state, CASE WHEN o.progress_total > 0 THEN format('%s of %s', o.progress_done, "
      "o.progress_total) END AS progress, {}, {}, o.begun_at, o.ended_at, o.author, {}, "
      "o.background IS NOT NULL AS background, o.statement FROM coppice.operations o {} "
      "ORDER BY o.state NOT IN ({}), o.begun_at DESC{}",
      kPace, kSpent, kMessage,
      all ? "" : "WHERE o.state IN ('running', 'interrupted', 'paused', 'conflict', 'failed')",
      catalog::kOpenStates, all ? "" : fmt::format(" LIMIT {}", kMostListed));
  pg::RowStream jobs(context.side(), query);
  if (emit_stream(context, jobs, sink) == kMostListed && !all) {
    sink.notice(fmt::format("these are the newest {}; coppice jobs list --all lists every one",
                            kMostListed));
  }
}

void show_job(EngineContext& context, const std::string& id, ResultSink& sink) {
  const Job job = find_job(context, id);
  const pg::Result row = context.main.exec_params(
      fmt::format(
          "SELECT format('%s-%s', o.tree_id, o.op_id) AS id, o.table_name AS \"table\", o.kind, "
          "o.state, o.author, o.begun_at, o.ended_at, "
          "round(extract(epoch FROM coalesce(o.ended_at, clock_timestamp()) - o.begun_at), 1) "
          "AS seconds, nullif(o.progress_done, 0) AS rows_done, "
          "nullif(o.progress_total, 0) AS rows_total, {}, {}, trim_scale(o.budget) AS budget, "
          "o.version, o.rows_inserted, "
          "o.rows_updated, o.rows_deleted, o.error_count AS errors, "
          "CASE WHEN o.state = 'running' THEN greatest(1, (SELECT count(*) "
          "FROM coppice.job_workers w JOIN LATERAL pg_stat_get_activity(w.backend_pid) a "
          "ON a.backend_start = w.backend_start "
          "WHERE w.tree_id = o.tree_id AND w.op_id = o.op_id)) END "
          "AS processes, CASE WHEN o.state = 'running' THEN o.backend_pid END AS session, {}, "
          "o.statement, "
          "o.background IS NOT NULL AS background, $3::text AS log "
          "FROM coppice.operations o WHERE o.tree_id = $1 AND o.op_id = $2",
          kPace, kSpent, kMessage),
      {std::to_string(job.id.tree), std::to_string(job.id.operation), log_tail(context, id)});
  emit_result(context, row, sink);
}

void work_on_job(EngineContext& context, const std::string& id, ResultSink& sink) {
  const Job job = find_job(context, id);
  if (job.waits()) {
    throw Error(ErrorCode::kRefused, fmt::format("job {} is {}: nobody works on it", id, job.state),
                fmt::format("coppice jobs resume {} goes on with it", id));
  }
  if (!job.runs()) throw_job_is_over(job, id, ": there is nothing to do");
  if (!job.is_fill) {
    throw Error(ErrorCode::kUnsupported,
                fmt::format("job {} ({}) is no fill: one process runs it", id, job.kind),
                "several processes share what gives the rows of a table a new column");
  }
  join_fill(context, job.id.tree, job.id.operation, sink);
}

void resume_job(EngineContext& context, const std::string& id, ResultSink& sink) {
  const Job job = find_job(context, id);
  refuse_running(job, id);
  if (!job.waits()) {
    throw Error(ErrorCode::kRefused,
                fmt::format("job {} is over ({}) and cannot go on", id, job.state),
                "run its statement again");
  }
  if (job.is_fill) return resume_fill(context, job.id.tree, job.id.operation, sink);
  if (!job.stage_name || !job.is_staged) {
    const bool was_reading = job.stage_name && job.state == "paused";
    if (was_reading && resume_from_statement(context, job.id.tree, job.id.operation, sink)) return;
    throw Error(ErrorCode::kUnsupported, fmt::format("job {} has kept nothing to go on with", id),
                fmt::format("run its statement again; coppice jobs discard {} forgets it", id));
  }
  if (job.makes_view) {
    return resume_materialized_view(context, job.id.tree, job.id.operation, sink);
  }
  resume_staged(context, job.id.tree, job.id.operation, sink);
}

void give_up_job(EngineContext& context, const Job& job, std::string_view state) {
  if (job.is_fill && job.waits()) discard_fill(context, job.id.tree, job.id.operation);
  if (job.makes_view) discard_materialized_view(context, job.id.tree, job.id.operation);
  if (job.stage_name) drop_stage(context, job);
  context.main.exec_params(
      "UPDATE coppice.operations SET state = $4, stage_name = NULL, asked = NULL, "
      "ended_at = coalesce(ended_at, clock_timestamp()), message = $3 "
      "WHERE tree_id = $1 AND op_id = $2",
      {std::to_string(job.id.tree), std::to_string(job.id.operation),
       fmt::format("{} by {}", state, context.log.author()), std::string(state)});
}

void discard_job(EngineContext& context, const std::string& id, ResultSink& sink) {
  const Job job = find_job(context, id);
  refuse_running(job, id);
  if (!job.waits() && !job.stage_name) throw_job_is_over(job, id, ": there is nothing to discard");
  give_up_job(context, job, "discarded");
  sink.done("DISCARD", std::nullopt);
}

}  // namespace coppice::engine
