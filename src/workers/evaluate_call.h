// EvaluateCall: one call of ProcessPool::evaluate.
//
// Model    One loop on the calling thread: hand chunks to leased workers, wait until one of them
//          has something, take it. Rows are in `pending_` (not handed out), in a worker's chunk,
//          or answered. A worker that ends puts the rows of its chunk behind the one it was at
//          back to pending.
// Threads  Belongs to the calling thread.
#pragma once

#include <chrono>
#include <deque>
#include <list>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "workers/worker_source.h"

namespace coppice {

class EvaluateCall {
 public:
  EvaluateCall(WorkerSource& source, const std::vector<Fragment>& fragments, const Batch& batch);
  // Gives the workers back; one that still computes is ended.
  ~EvaluateCall();

  BatchResult run(std::stop_token stop);

 private:
  using TimePoint = std::chrono::steady_clock::time_point;
  struct Range {
    std::size_t begin = 0, end = 0;  // indexes into rows_
    bool one_by_one = false;         // a row in it has broken a worker, and it is not known which
    std::size_t size() const { return end - begin; }
  };
  struct Leased {
    std::unique_ptr<WorkerProcess> process;
    Range chunk;               // empty when it has nothing to do
    std::size_t answered = 0;  // rows of the chunk
    bool accepted = false;
    bool worked = false;  // has finished a chunk since it was leased
    std::int64_t id = 0;
    TimePoint handed_out, row_begun;
    bool busy() const { return chunk.size() > 0; }
  };

  void answer_null_rows();
  void lease_workers(const std::stop_token& stop);
  bool worth_starting_another() const;
  static bool can_take(const Leased& worker) {
    return worker.process && worker.process->ready() && !worker.busy();
  }
  void hand_out(Leased& worker);
  std::size_t chunk_rows(const Range& range) const;
  void wait_for_workers(int wake_fd);
  int poll_timeout_ms() const;
  TimePoint deadline(const Leased& worker) const;
  void tend(Leased& worker, bool output_ready, bool input_ready);
  void take_messages(Leased& worker);
  void take(Leased& worker, Message message);
  void take_result(Leased& worker, ResultMessage& result);
  void finish_chunk(Leased& worker);
  // Puts rows that were handed out back to where the next worker finds them.
  void put_back(const Range& rows);
  // Ends a worker; the row it was at gets a failure of `type`, when it is known which one it was.
  void lose(Leased& worker, const std::string& type, const std::string& what);
  void fail_start(const std::string& what, const std::string& last_words);
  void answer(std::size_t row, const CellFailure& failure);
  void release_idle();

  WorkerSource& source_;
  const std::vector<Fragment>& fragments_;
  const Batch& batch_;
  const std::string packed_fragments_;
  const TimePoint begun_;
  BatchResult results_;
  std::vector<std::size_t> rows_;  // those that a worker has to evaluate
  std::deque<Range> pending_;
  std::size_t pending_rows_ = 0;
  std::size_t open_rows_ = 0;  // not answered
  std::list<Leased> leased_;
  double row_us_ = 0;  // what a row takes, smoothed; 0 until it is known
  std::size_t last_chunk_rows_ = 0;
  int start_failures_ = 0;
  int unaccepted_losses_ = 0;
};

}  // namespace coppice
