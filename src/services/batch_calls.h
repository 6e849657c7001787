// BatchCalls: the calls of one batch, from the first request to the last answer.
//
// Model    A Job is one request for one call, or for a run of calls. It is ready, in flight, or
//          waits for another try; one loop sends what may be sent and takes what has come. Nothing
//          sleeps but the loop, and it wakes for an answer, for the next try that is due, and for
//          stop.
// Threads  Belongs to the calling thread.
// Errors   As HttpFunctionPool::evaluate.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "net/http_multi.h"
#include "services/circuit_breaker.h"
#include "services/http_function_pool.h"
#include "services/verdict.h"
#include "workers/spending.h"

namespace coppice::services {

class BatchCalls {
 public:
  BatchCalls(HttpFunctionPool& pool, const std::vector<Arguments>& calls, HttpMulti& connections,
             CallWatcher& watcher);
  // Breaks off what is in flight and gives back what it holds.
  ~BatchCalls();
  BatchCalls(const BatchCalls&) = delete;
  BatchCalls& operator=(const BatchCalls&) = delete;

  // A cell per call. Called once.
  std::vector<Cell> run(const std::stop_token& stop);

 private:
  using TimePoint = std::chrono::steady_clock::time_point;
  using Milliseconds = std::chrono::milliseconds;
  struct Job {
    std::size_t begin = 0, end = 0;  // indexes into calls_
    int attempts = 0;
    std::optional<TimePoint> first_sent, last_sent;
    double tokens_taken = 0;
    Money reserved;  // for its next attempt
    std::size_t body_bytes = 0;
    std::size_t size() const { return end - begin; }
  };

  void ready_what_is_due();
  // Returns how long nothing else can be sent.
  Milliseconds send_what_may_go();
  bool may_send_another() const;
  // Money for the first of those that are ready. nullopt: it is set aside; else how long to wait,
  // zero when there is none to wait for: then those that are not in flight have failed.
  std::optional<Milliseconds> set_money_aside();
  void send(Job job);
  void finish(const HttpEnd& end);
  void take_answer(const Job& job, Verdict verdict);
  void try_again(Job job, const Verdict& verdict);
  void fail(const Job& job, CellFailure failure);
  void fail_all(const CellFailure& failure);
  Milliseconds jittered_pause(int attempts) const;
  TokenCount estimated_tokens(const Job& job) const;
  Money estimated_cost(const Job& job) const;
  // What an attempt that has ended has cost, and the money that was set aside for it.
  void settle(Job& job, const HttpEnd& end, const Verdict& verdict);
  void charge(Job& job, const Usage& usage);
  void keep_spending();
  Milliseconds time_left(const Job& job) const;
  void tell_all_begun();
  void leave() noexcept;

  HttpFunctionPool& pool_;
  const std::vector<Arguments>& calls_;
  HttpMulti& connections_;
  CallWatcher& watcher_;
  CircuitBreaker& breaker_;
  std::vector<std::pair<std::string, std::string>> headers_;  // with the key
  JsonAnswer parser_;
  std::vector<Cell> cells_;
  std::deque<Job> ready_;
  std::multimap<TimePoint, Job> waiting_;
  std::map<std::uint64_t, Job> in_flight_;
  std::size_t in_flight_bytes_ = 0;
  std::size_t open_calls_ = 0;
  bool told_all_begun_ = false;
  bool waits_for_slot_ = false;
  Milliseconds next_look_;
  std::uint64_t next_id_ = 0;
  TimePoint spending_kept_;
};

}  // namespace coppice::services
