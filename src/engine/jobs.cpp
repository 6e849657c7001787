#include "engine/jobs.h"

#include <fmt/core.h>

#include <charconv>

#include "engine/emit.h"
#include "engine/fill.h"
#include "engine/materialized_view.h"
#include "engine/stage.h"
#include "engine/staged_write.h"
#include "pg/row_stream.h"

namespace coppice::engine {
namespace {

struct JobId {
  std::int64_t tree = 0;
  std::int64_t operation = 0;
};

struct Job {
  JobId id;
  std::string state;
  bool is_fill = false;
  bool makes_view = false;
  bool is_staged = false;  // its rows are all in its stage
  std::optional<std::string> stage_name;

  bool waits() const { return state == "interrupted" || state == "paused"; }
};

std::optional<std::int64_t> number(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 0) return std::nullopt;
  return value;
}

JobId parse_id(const std::string& text) {
  const std::size_t dash = text.find('-');
  if (dash != std::string::npos) {
    const auto tree = number(std::string_view(text).substr(0, dash));
    const auto operation = number(std::string_view(text).substr(dash + 1));
    if (tree && operation) return {*tree, *operation};
  }
  throw Error(ErrorCode::kUsage, fmt::format("\"{}\" is no job", text),
              "a job is called like 12-5; see: coppice jobs");
}

Job find_job(EngineContext& context, const std::string& text) {
  Job job;
  job.id = parse_id(text);
  context.log.settle_abandoned();
  const pg::Result row = context.main.exec_params(
      "SELECT state, coalesce(detail ? 'fill', false), stage_name, "
      "coalesce(detail ? 'create_view', false), "
      "coalesce(detail ?| '{stage,create_view}', false) FROM coppice.operations "
      "WHERE tree_id = $1 AND op_id = $2",
      {std::to_string(job.id.tree), std::to_string(job.id.operation)});
  if (row.rows() == 0) {
    throw Error(ErrorCode::kNotFound, fmt::format("there is no job {}", text),
                "see: coppice jobs list --all");
  }
  job.state = row.text(0, 0);
  job.is_fill = row.boolean(0, 1);
  job.makes_view = row.boolean(0, 3);
  job.is_staged = row.boolean(0, 4);
  if (!row.is_null(0, 2)) job.stage_name = std::string(row.text(0, 2));
  return job;
}

void refuse_running(const Job& job, const std::string& text) {
  if (job.state != "running") return;
  throw Error(ErrorCode::kRefused, fmt::format("job {} is running", text),
              "wait for it, or stop its process with Ctrl-C");
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

}  // namespace

void list_jobs(EngineContext& context, bool all, ResultSink& sink) {
  constexpr std::uint64_t kMostListed = 100;
  context.log.settle_abandoned();
  const std::string query = fmt::format(
      "SELECT format('%s-%s', tree_id, op_id) AS id, table_name AS \"table\", kind, "
      "state, CASE WHEN progress_total > 0 THEN format('%s of %s', progress_done, "
      "progress_total) END AS progress, begun_at, ended_at, author, message, statement "
      "FROM coppice.operations {} "
      "ORDER BY state NOT IN ({}), begun_at DESC{}",
      all ? "" : "WHERE state IN ('running', 'interrupted', 'paused', 'conflict', 'failed')",
      catalog::kOpenStates, all ? "" : fmt::format(" LIMIT {}", kMostListed));
  pg::RowStream jobs(context.side(), query);
  if (emit_stream(context, jobs, sink) == kMostListed && !all) {
    sink.notice(fmt::format("these are the newest {}; coppice jobs list --all lists every one",
                            kMostListed));
  }
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
    throw Error(ErrorCode::kUnsupported, fmt::format("job {} has kept nothing to go on with", id),
                fmt::format("run its statement again; coppice jobs discard {} forgets it", id));
  }
  if (job.makes_view) {
    return resume_materialized_view(context, job.id.tree, job.id.operation, sink);
  }
  resume_staged(context, job.id.tree, job.id.operation, sink);
}

void discard_job(EngineContext& context, const std::string& id, ResultSink& sink) {
  const Job job = find_job(context, id);
  refuse_running(job, id);
  const bool left_something = job.stage_name.has_value();
  if (!job.waits() && !left_something) {
    throw Error(ErrorCode::kRefused,
                fmt::format("job {} is over ({}): there is nothing to discard", id, job.state));
  }
  if (job.is_fill && job.waits()) {
    discard_fill(context, job.id.tree, job.id.operation);
  }
  if (job.makes_view) discard_materialized_view(context, job.id.tree, job.id.operation);
  if (left_something) drop_stage(context, job);
  context.main.exec_params(
      "UPDATE coppice.operations SET state = 'discarded', stage_name = NULL, "
      "ended_at = coalesce(ended_at, clock_timestamp()), message = $3 "
      "WHERE tree_id = $1 AND op_id = $2",
      {std::to_string(job.id.tree), std::to_string(job.id.operation),
       "discarded by " + context.log.author()});
  sink.done("DISCARD", std::nullopt);
}

}  // namespace coppice::engine
