#include "pg/retry.h"

#include <algorithm>
#include <mutex>
#include <optional>
#include <stop_token>
#include <thread>
#include <utility>

#include "base/text.h"
#include "pg/transaction.h"

namespace coppice::pg {
namespace {

using std::chrono::milliseconds;

constexpr const char* kFindBlockers = R"sql(
  SELECT DISTINCT b.pid, coalesce(a.application_name, ''), coalesce(a.usename::text, ''),
         coalesce(a.state, ''), coalesce(to_char(a.query_start, 'YYYY-MM-DD HH24:MI:SSOF'), ''),
         coalesce(left(a.query, 80), ''),
         coalesce((SELECT min(l.relation::regclass::text) FROM pg_locks l
                   WHERE l.pid = $1::int4 AND NOT l.granted), '')
  FROM unnest(pg_blocking_pids($1::int4)) AS b(pid)
  LEFT JOIN pg_stat_activity a ON a.pid = b.pid
  ORDER BY 1)sql";

// Remembers who blocked a session last, while that session is too busy waiting to ask.
class BlockerWatch {
 public:
  BlockerWatch(Connection observer, int backend_pid)
      : observer_(std::move(observer)),
        thread_([this, backend_pid](const std::stop_token& stop) { watch(backend_pid, stop); }) {}

  std::vector<Blocker> last_seen() const {
    const std::scoped_lock lock(mutex_);
    return seen_;
  }

 private:
  void watch(int backend_pid, const std::stop_token& stop) {
    try {
      while (!stop.stop_requested()) {
        std::vector<Blocker> now = find_blockers(observer_, backend_pid);
        if (!now.empty()) {
          const std::scoped_lock lock(mutex_);
          seen_ = std::move(now);
        }
        std::this_thread::sleep_for(milliseconds(15));
      }
    } catch (...) {
      // Without the observer the final message names nobody: no reason to fail the DDL.
    }
  }

  Connection observer_;
  mutable std::mutex mutex_;
  std::vector<Blocker> seen_;
  std::jthread thread_;  // last: it uses the others
};

std::unique_ptr<BlockerWatch> try_watch(Connection& connection) {
  try {
    return std::make_unique<BlockerWatch>(connection.open_another(), connection.backend_pid());
  } catch (const Error&) {
    return nullptr;  // say, no connection is left
  }
}

[[noreturn]] void throw_blocked(const std::vector<Blocker>& blockers, milliseconds waited) {
  std::vector<std::string> lines(blockers.size());
  std::transform(blockers.begin(), blockers.end(), lines.begin(), describe_blocker);
  const std::string table =
      blockers.empty() || blockers[0].waited_for.empty() ? "a table" : blockers[0].waited_for;
  throw Error(ErrorCode::kBusy,
              "could not lock " + table + " for the change within " +
                  human_seconds(static_cast<double>(waited.count()) / 1000) +
                  (lines.empty() ? std::string() : ": blocked by " + join(lines, "; ")),
              "wait until that session ends its transaction, or end it with "
              "SELECT pg_terminate_backend(pid); then try again");
}

}  // namespace

std::vector<Blocker> find_blockers(Connection& observer, int backend_pid) {
  const Result found = observer.exec_cached(kFindBlockers, {std::to_string(backend_pid)});
  std::vector<Blocker> blockers;
  for (int row = 0; row < found.rows(); ++row) {
    const auto text = [&](int column) { return std::string(found.text(row, column)); };
    blockers.push_back({static_cast<int>(found.integer(row, 0)), text(1), text(2), text(3), text(4),
                        text(5), text(6)});
  }
  return blockers;
}

std::string describe_blocker(const Blocker& blocker) {
  if (blocker.pid == 0) return "a prepared transaction (see pg_prepared_xacts)";
  std::string text = "process " + std::to_string(blocker.pid);
  if (!blocker.application.empty()) text += " (" + blocker.application + ")";
  if (!blocker.user.empty()) text += " of user " + blocker.user;
  if (!blocker.state.empty()) text += ", " + blocker.state;
  if (!blocker.query_start.empty()) text += ", since " + blocker.query_start;
  if (!blocker.query.empty()) text += ": " + blocker.query;
  return text;
}

void run_ddl(Connection& connection, const Clock& clock,
             const std::function<void(Connection&)>& change, DdlPolicy policy) {
  const std::int64_t begin_us = clock.now_us();
  const std::string set_timeout =
      "SET LOCAL lock_timeout = " + std::to_string(policy.lock_timeout.count());
  std::unique_ptr<BlockerWatch> watch;
  for (int attempt = 1;; ++attempt) {
    try {
      Transaction transaction(connection);
      connection.exec(set_timeout);
      change(connection);
      transaction.commit();
      return;
    } catch (const ServerError& error) {
      if (error.sqlstate() != "55P03" && !is_retryable(error)) throw;
    }
    const milliseconds waited((clock.now_us() - begin_us) / 1000);
    // At least one attempt is made under watch, so that the message can name names.
    if (attempt > 1 && waited >= policy.deadline) {
      throw_blocked(watch ? watch->last_seen() : std::vector<Blocker>(), waited);
    }
    if (!watch) watch = try_watch(connection);
    clock.sleep(backoff(attempt, milliseconds(20), milliseconds(500)));
  }
}

}  // namespace coppice::pg
