#include "engine/job_requests.h"

#include <fmt/core.h>

#include <chrono>
#include <thread>

#include "engine/job.h"
#include "engine/jobs.h"
#include "pg/transaction.h"

namespace coppice::engine {
namespace {

using std::chrono::steady_clock;

constexpr std::chrono::milliseconds kLookEvery{100};
constexpr std::chrono::seconds kPatience{30};

// False: it ended in between. A later wish replaces an earlier one, but nothing takes back a
// cancel.
bool ask(EngineContext& context, const Job& job, const char* what) {
  return context.main
             .exec_params(
                 "UPDATE coppice.operations SET asked = $3, asked_by = $4 "
                 "WHERE tree_id = $1 AND op_id = $2 AND state = 'running' "
                 "AND asked IS DISTINCT FROM 'cancel'",
                 {std::to_string(job.id.tree), std::to_string(job.id.operation), what,
                  context.log.author()})
             .affected_rows() > 0;
}

// While the row is locked the operation cannot be published: the session is still at its work, and
// not at another statement.
bool cancel_session(EngineContext& context, const Job& job) {
  pg::Transaction transaction(context.main);
  const pg::Result session = context.main.exec_params(
      "SELECT backend_pid FROM coppice.operations o "
      "WHERE tree_id = $1 AND op_id = $2 AND state = 'running' AND EXISTS (SELECT FROM "
      "pg_stat_get_activity(o.backend_pid) a WHERE a.backend_start = o.backend_start) FOR UPDATE",
      {std::to_string(job.id.tree), std::to_string(job.id.operation)});
  if (session.rows() == 0) return false;
  context.main.exec_params(
      "UPDATE coppice.operations SET asked = 'cancel', asked_by = $3 "
      "WHERE tree_id = $1 AND op_id = $2",
      {std::to_string(job.id.tree), std::to_string(job.id.operation), context.log.author()});
  context.main.exec_params("SELECT pg_cancel_backend($1)", {std::string(session.text(0, 0))});
  transaction.commit();
  return true;
}

// The job when it runs no more; nullopt when it still does after a while.
std::optional<Job> await_end(EngineContext& context, const std::string& id, ResultSink& sink) {
  const auto give_up = steady_clock::now() + kPatience;
  for (;;) {
    const Job job = find_job(context, id);
    if (!job.runs()) return job;
    context.check_stop();
    if (steady_clock::now() > give_up) {
      sink.notice(fmt::format(
          "job {} has been asked, and has not ended yet: see coppice jobs show {}", id, id));
      return std::nullopt;
    }
    std::this_thread::sleep_for(kLookEvery);
  }
}

void refuse_one_transaction(const Job& job, const std::string& id) {
  if (job.has_steps()) return;
  throw Error(ErrorCode::kUnsupported,
              fmt::format("job {} ({}) is one transaction and cannot be paused", id, job.kind),
              fmt::format("coppice jobs cancel {} stops it, and nothing of it is left", id));
}

void pause_waiting(EngineContext& context, const Job& job) {
  context.main.exec_params(
      "UPDATE coppice.operations SET state = 'paused', message = $3 "
      "WHERE tree_id = $1 AND op_id = $2 AND state = 'interrupted'",
      {std::to_string(job.id.tree), std::to_string(job.id.operation),
       "paused by " + context.log.author()});
}

// How far a job is, as its own process would say.
void tell_progress(EngineContext& context, const Job& job, const std::string& id,
                   ResultSink& sink) {
  const pg::Result row = context.main.exec_cached(
      "SELECT progress_done, progress_total, coalesce(coppice.progress_rate(o), 0) "
      "FROM coppice.operations o WHERE tree_id = $1 AND op_id = $2 AND progress_total > 0",
      {std::to_string(job.id.tree), std::to_string(job.id.operation)});
  if (row.rows() == 0) return;
  Progress progress{fmt::format("job {} ({})", id, job.kind),
                    static_cast<std::uint64_t>(row.integer(0, 0)),
                    static_cast<std::uint64_t>(row.integer(0, 1))};
  progress.rows_per_second = std::stod(std::string(row.text(0, 2)));
  sink.progress(progress);
}

// The job that a background job was begun anew as.
std::optional<std::string> continued_as(EngineContext& context, const Job& job) {
  const pg::Result row = context.main.exec_cached(
      "SELECT background->>'continued_as' FROM coppice.operations "
      "WHERE tree_id = $1 AND op_id = $2",
      {std::to_string(job.id.tree), std::to_string(job.id.operation)});
  if (row.rows() == 0 || row.is_null(0, 0)) return std::nullopt;
  return std::string(row.text(0, 0));
}

// A background job whose process has ended: the one that goes on with it may be on its way.
bool is_restarted(EngineContext& context, const Job& job) {
  return context.main
             .exec_cached(
                 "SELECT 1 FROM coppice.operations WHERE tree_id = $1 AND op_id = $2 "
                 "AND NOT background ? 'given_up' AND (background->>'started_at')::float8 > "
                 "extract(epoch FROM clock_timestamp()) - 10",
                 {std::to_string(job.id.tree), std::to_string(job.id.operation)})
             .rows() > 0;
}

void tell_outcome(EngineContext& context, const Job& job, const std::string& id, ResultSink& sink) {
  const pg::Result row = context.main.exec_cached(
      "SELECT version, coalesce(message, '') FROM coppice.operations "
      "WHERE tree_id = $1 AND op_id = $2",
      {std::to_string(job.id.tree), std::to_string(job.id.operation)});
  if (job.state == "published" || job.state == "empty") {
    return sink.done("DONE", row.is_null(0, 0) ? std::nullopt : std::optional(row.integer(0, 0)));
  }
  const ErrorCode code = job.state == "paused"        ? ErrorCode::kPaused
                         : job.state == "interrupted" ? ErrorCode::kInterrupted
                         : job.state == "conflict"    ? ErrorCode::kConflict
                         : job.state == "failed"      ? ErrorCode::kComputation
                                                      : ErrorCode::kCancelled;
  throw Error(code, fmt::format("job {} ended as {}: {}", id, job.state, row.text(0, 1)),
              fmt::format("coppice jobs show {} tells more{}", id,
                          job.waits() ? fmt::format("; coppice jobs resume {} goes on", id) : ""));
}

}  // namespace

void wait_for_job(EngineContext& context, const std::string& first_id,
                  std::optional<double> seconds, ResultSink& sink) {
  const auto begun = steady_clock::now();
  std::string id = first_id;
  for (;;) {
    const Job job = find_job(context, id);
    if (const auto next = continued_as(context, job)) {
      id = *next;
      continue;
    }
    const bool ended = !job.runs() && !(job.state == "interrupted" && is_restarted(context, job));
    if (ended) return tell_outcome(context, job, id, sink);
    tell_progress(context, job, id, sink);
    context.check_stop();
    const std::chrono::duration<double> waited = steady_clock::now() - begun;
    if (seconds && waited.count() >= *seconds) {
      throw Error(ErrorCode::kBusy, fmt::format("job {} still runs after {} s", id, *seconds),
                  fmt::format("wait longer; coppice jobs show {} tells how far it is", id));
    }
    std::this_thread::sleep_for(kLookEvery);
  }
}

void pause_job(EngineContext& context, const std::string& id, ResultSink& sink) {
  const Job job = find_job(context, id);
  if (job.state == "paused") {
    throw Error(ErrorCode::kRefused, fmt::format("job {} is paused already", id),
                fmt::format("coppice jobs resume {} goes on with it", id));
  }
  if (job.state == "interrupted") {
    pause_waiting(context, job);
    return sink.done("PAUSE", std::nullopt);
  }
  if (!job.runs()) throw_job_is_over(job, id, ": there is nothing to pause");
  refuse_one_transaction(job, id);
  ask(context, job, "pause");
  const std::optional<Job> then = await_end(context, id, sink);
  if (then && then->state != "paused") throw_job_is_over(*then, id, " before it could be paused");
  sink.done("PAUSE", std::nullopt);
}

void cancel_job(EngineContext& context, const std::string& id, ResultSink& sink) {
  Job job = find_job(context, id);
  if (job.runs()) {
    if (job.stage_name || job.has_steps()) {
      ask(context, job, "cancel");
    } else {
      cancel_session(context, job);
    }
    const std::optional<Job> then = await_end(context, id, sink);
    if (!then || then->state == "cancelled") return sink.done("CANCEL", std::nullopt);
    job = *then;
  }
  if (!job.waits()) throw_job_is_over(job, id, ": there is nothing to cancel");
  give_up_job(context, job, "cancelled");
  sink.done("CANCEL", std::nullopt);
}

}  // namespace coppice::engine
