#include "engine/job_watch.h"

#include <fmt/core.h>

#include <chrono>
#include <optional>
#include <utility>

#include "engine/fill_claims.h"

namespace coppice::engine {
namespace {

constexpr std::chrono::milliseconds kLookEvery{500};

}  // namespace

JobWatch::JobWatch(EngineContext& context, const catalog::Operation& operation, bool may_pause)
    : context_(context),
      operation_(operation),
      session_(context.main.backend_pid()),
      lease_(std::to_string(lease_length(context.config).count())),
      may_pause_(may_pause),
      thread_([this](const std::stop_token& ended) { run(ended); }) {
  if (may_pause) allow_pause();
}

void JobWatch::allow_pause() {
  may_pause_ = true;
  if (context_.working) std::exchange(context_.working, nullptr)();
}

JobWatch::~JobWatch() { end(); }

void JobWatch::run(const std::stop_token& ended) {
  std::optional<pg::Connection> session;
  while (!ended.stop_requested() && !stopped_) {
    {
      std::unique_lock lock(mutex_);
      wake_.wait_for(lock, ended, kLookEvery, [] { return false; });
    }
    if (ended.stop_requested()) return;
    try {
      if (!session || !session->is_alive()) {
        session.emplace(pg::Connection::connect(context_.address.owner_conninfo));
      }
      look(*session);
    } catch (const Error&) {  // the server is away: the operation itself will tell
      session.reset();
    }
  }
}

void JobWatch::look(pg::Connection& session) {
  if (looks_++ % 2 == 0) {
    // A range that is just being stored is locked, and needs no lease.
    session.exec_cached(
        "UPDATE coppice.fill_claims c SET expires_at = clock_timestamp() + "
        "make_interval(secs => $4::float8) FROM (SELECT k.claim_id FROM coppice.fill_claims k "
        "WHERE k.tree_id = $1 AND k.op_id = $2 AND k.backend_pid = $3::int "
        "AND k.expires_at > '-infinity' FOR UPDATE SKIP LOCKED) own "
        "WHERE c.tree_id = $1 AND c.op_id = $2 AND c.claim_id = own.claim_id",
        {std::to_string(operation_.tree_id), std::to_string(operation_.op_id),
         std::to_string(session_), lease_});
  }
  const pg::Result asked = session.exec_cached(
      "SELECT asked FROM coppice.operations "
      "WHERE tree_id = $1 AND op_id = $2 AND state = 'running' AND asked IS NOT NULL",
      {std::to_string(operation_.tree_id), std::to_string(operation_.op_id)});
  if (asked.rows() == 0 || (asked.text(0, 0) == "pause" && !may_pause_)) return;
  stopped_ = true;
  context_.request_stop();
}

void JobWatch::end() {
  if (!thread_.joinable()) return;
  thread_.request_stop();
  thread_.join();
  if (!stopped_) return;
  context_.stop = std::stop_source();
  // A cancellation that came too late for its statement shall not meet the next one.
  try {
    if (context_.main.is_alive() && !context_.main.in_transaction()) context_.main.exec("SELECT 1");
  } catch (const Error&) {
  }
}

Error JobWatch::explain(const Error& error) {
  end();
  return explain_stop(context_, operation_, error);
}

Error explain_stop(EngineContext& context, const catalog::Operation& operation,
                   const Error& error) {
  if (error.code() != ErrorCode::kInterrupted || !context.main.is_alive()) return error;
  const pg::Result row = context.main.exec_cached(
      "SELECT asked, coalesce(asked_by, '?') FROM coppice.operations "
      "WHERE tree_id = $1 AND op_id = $2 AND asked IS NOT NULL",
      {std::to_string(operation.tree_id), std::to_string(operation.op_id)});
  if (row.rows() == 0) return error;
  const bool pause = row.text(0, 0) == "pause";
  return Error(pause ? ErrorCode::kPaused : ErrorCode::kCancelled,
               fmt::format("job {} was {} by {}", operation.text(), pause ? "paused" : "cancelled",
                           row.text(0, 1)));
}

}  // namespace coppice::engine
