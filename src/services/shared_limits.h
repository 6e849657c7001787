// SharedLimits: how much may be sent to a model, asked before every request.
//
// Model    A key names a model at an address. Each has a bucket of requests and one of tokens,
// which
//          fill evenly and hold one second's worth, and a number of slots for calls in flight. A
//          bucket of tokens may go below zero: what a call will cost is known afterwards. What a
//          service says in its headers is noted; the smaller of what is configured and what is
//          noted holds.
// Units    Limits are per minute; waits are milliseconds.
// Threads  Every method may be called from any thread.
// Errors   An implementation over a database throws what that throws.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace coppice::services {

// 0 is no limit.
struct RateLimits {
  double requests_per_minute = 0;
  double tokens_per_minute = 0;
  int in_flight = 0;
};

// What an answer's headers say.
struct LearnedLimits {
  std::optional<double> requests_per_minute;
  std::optional<double> tokens_per_minute;
  // Nothing is to be sent for so long.
  std::optional<std::chrono::milliseconds> pause;

  bool empty() const { return !requests_per_minute && !tokens_per_minute && !pause; }
};

class SharedLimits {
 public:
  virtual ~SharedLimits() = default;

  // Takes one request, `tokens` and a slot. Nothing is taken, and how long to wait before asking
  // again is returned, when it is too early.
  virtual std::optional<std::chrono::milliseconds> take(const std::string& key,
                                                        const RateLimits& limits,
                                                        double tokens) = 0;
  // A call has ended: its slot is free, and it cost `tokens_more` than was taken (or less).
  virtual void give_back(const std::string& key, double tokens_more) = 0;
  // Calls of this caller are still in flight. Called about once a second.
  virtual void keep_alive(const std::string& key, const RateLimits& limits) = 0;
  virtual void note(const std::string& key, const LearnedLimits& learned) = 0;
  // This caller has nothing in flight for now: slots and what was taken ahead may go to others.
  virtual void rest(const std::string& key) = 0;
};

}  // namespace coppice::services
