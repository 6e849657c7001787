// WorkerSource: the processes of a pool, lent to its calls.
//
// Model    At most `worker_count` processes live, each lent to one call or idle. Calls that wait
//          are served in the order of asking; while one waits, try_lease() gives nothing, so that
//          a long call cannot keep a short one out.
// Threads  Every method may be called from any thread.
// Errors   lease() throws kInterrupted when stop is requested; both leases throw what
//          ChildProcess::start throws.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "base/error.h"
#include "workers/process_pool.h"
#include "workers/worker_process.h"

namespace coppice {

// Runs ChildProcess::start on one long-lived thread.
class StarterThread {
 public:
  StarterThread();
  ~StarterThread();
  ChildProcess start(const ChildOptions& options);

 private:
  // Lives on the stack of the thread that waits for it. What went wrong travels as plain values.
  struct Request {
    const ChildOptions& options;
    std::optional<ChildProcess> child;
    ErrorCode code = ErrorCode::kInternal;
    std::string message, hint;
    bool done = false;
  };
  void run();
  static void fulfil(Request& request);

  std::mutex mutex_;
  std::condition_variable wake_, done_;
  std::deque<Request*> requests_;
  bool ending_ = false;
  std::thread thread_;
};

class WorkerSource {
 public:
  explicit WorkerSource(ProcessPoolOptions options);

  // Waits until a worker is free or may be started.
  std::unique_ptr<WorkerProcess> lease(std::stop_token stop);
  // nullptr when none is free, or only a new one and `may_start` is false, or others wait.
  std::unique_ptr<WorkerProcess> try_lease(bool may_start);
  // For a worker that has nothing left to do.
  void give_back(std::unique_ptr<WorkerProcess> worker);
  // For one that has ended: its place is free.
  void discard(std::unique_ptr<WorkerProcess> worker);

  bool others_wait() const { return waiting_count_.load(std::memory_order_relaxed) > 0; }
  int running() const;
  int worker_count() const { return worker_count_; }
  const ProcessPoolOptions& options() const { return options_; }
  std::int64_t next_id() { return ++last_id_; }

 private:
  // Takes a free worker, or a place for a new one (nullptr, true). Needs the lock.
  bool take(bool may_start, std::unique_ptr<WorkerProcess>& worker);
  // Fills a place that take() gave, and replaces a worker that died while it was idle.
  std::unique_ptr<WorkerProcess> started(std::unique_ptr<WorkerProcess> worker);
  void free_place();

  const ProcessPoolOptions options_;
  const int worker_count_;
  StarterThread starter_;
  mutable std::mutex mutex_;
  std::condition_variable_any freed_;
  std::vector<std::unique_ptr<WorkerProcess>> idle_;
  int lent_ = 0;
  std::deque<std::uint64_t> queue_;  // tickets of the calls that wait
  std::uint64_t last_ticket_ = 0;
  std::atomic<int> waiting_count_ = 0;
  std::atomic<std::int64_t> last_id_ = 0;
};

}  // namespace coppice
