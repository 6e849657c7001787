// Trying again: transactions that collided with others, and DDL that must not queue.
//
// Model    retry_conflicts runs a callable (which makes its own Transaction) again after 40001,
//          40P01 or a stale plan. run_ddl gives every attempt only 100 ms to get its locks: an
//          ALTER that waits behind one long reader would stop everybody who comes after it.
// Errors   retry_conflicts lets the last ServerError through. run_ddl ends with Error{kBusy} that
//          names who holds the lock.
// Threads  As the Connection. run_ddl looks for the blockers from a second connection.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "pg/connection.h"

namespace coppice::pg {

struct RetryPolicy {
  int attempts = 10;
  std::chrono::milliseconds first_pause{5};
  std::chrono::milliseconds longest_pause{500};
};

template <typename Callable>
auto retry_conflicts(const Clock& clock, Callable&& callable, RetryPolicy policy = {}) {
  for (int attempt = 1;; ++attempt) {
    try {
      return callable();
    } catch (const ServerError& error) {
      if (!is_retryable(error) || attempt >= policy.attempts) throw;
    }
    clock.sleep(backoff(attempt, policy.first_pause, policy.longest_pause));
  }
}

struct DdlPolicy {
  std::chrono::milliseconds lock_timeout{100};
  std::chrono::milliseconds deadline{std::chrono::seconds(30)};
};

// Runs `change` in a transaction of its own, again and again until it gets its locks or the
// deadline is over. `change` must be repeatable: what it did is rolled back with each attempt.
void run_ddl(Connection& connection, const Clock& clock,
             const std::function<void(Connection&)>& change, DdlPolicy policy = {});

// A session that holds what another one waits for.
struct Blocker {
  int pid = 0;  // 0: a prepared transaction
  std::string application;
  std::string user;
  std::string state;        // "idle in transaction"
  std::string query_start;  // ISO, with time zone
  std::string query;        // its first 80 characters
  std::string waited_for;   // the table, as far as it has a name
};
// Who blocks the session `backend_pid` now. Other roles' queries are seen by superusers and
// members of pg_read_all_stats.
std::vector<Blocker> find_blockers(Connection& observer, int backend_pid);
std::string describe_blocker(const Blocker& blocker);

}  // namespace coppice::pg
