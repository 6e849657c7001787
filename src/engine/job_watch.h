// JobWatch: while an operation runs, hears what other processes ask it for: to pause, or to end.
//
// Model    A thread with a session of its own looks twice a second. When something is asked for it
//          stops the engine as Ctrl-C would, so that calls in flight end, too; explain() then says
//          that it was not Ctrl-C. A pause waits until it is allowed: until then the operation has
//          nothing to go on with. It also prolongs the leases of what the session has claimed
//          (engine/fill_claims.h). A short operation ends before the thread has connected.
// Threads  The object belongs to the thread that runs the operation.
#pragma once

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <stop_token>
#include <thread>

#include "engine/context.h"

namespace coppice::engine {

class JobWatch {
 public:
  JobWatch(EngineContext& context, const catalog::Operation& operation, bool may_pause);
  ~JobWatch();
  JobWatch(const JobWatch&) = delete;
  JobWatch& operator=(const JobWatch&) = delete;

  void allow_pause();
  // Ends watching. What failed, as the user is to hear it: kPaused or kCancelled when that was
  // asked for. Afterwards the engine's stop is not requested any more, if it was by the watch.
  Error explain(const Error& error);

 private:
  void run(const std::stop_token& ended);
  void look(pg::Connection& session);
  void end();

  EngineContext& context_;
  const catalog::Operation operation_;
  const int session_;        // that computes
  const std::string lease_;  // seconds
  int looks_ = 0;
  std::atomic<bool> may_pause_;
  std::atomic<bool> stopped_ = false;  // the engine, by this watch
  std::mutex mutex_;
  std::condition_variable_any wake_;
  std::jthread thread_;
};

// The same for an operation that is not watched: its session's statement was cancelled.
Error explain_stop(EngineContext& context, const catalog::Operation& operation, const Error& error);

}  // namespace coppice::engine
