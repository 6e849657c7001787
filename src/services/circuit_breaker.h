// CircuitBreaker: stops asking a service that is not there.
//
// Model    Closed: everything goes. It opens when `failure_count` attempts in a row have failed,
// the
//          first of them at least `least_span` ago: a blip while many calls are in flight opens
//          nothing. Open: calls fail at once. After `pause` one call is let through as a probe; its
//          success closes, its failure opens again.
// Threads  Every method may be called from any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "base/clock.h"

namespace coppice::services {

struct BreakerOptions {
  int failure_count = 16;
  std::chrono::milliseconds least_span{5'000};
  std::chrono::milliseconds pause{30'000};
};

class CircuitBreaker {
 public:
  CircuitBreaker(BreakerOptions options, const Clock& clock) : options_(options), clock_(clock) {}

  // Why nothing may be sent now, or nullopt. What it lets through must be followed by succeeded(),
  // failed() or abandoned().
  std::optional<std::string> refusal();
  void succeeded();
  void failed(const std::string& why);
  // The attempt says nothing about the service: it was broken off.
  void abandoned();

 private:
  enum class State { kClosed, kOpen, kProbing };

  BreakerOptions options_;
  const Clock& clock_;
  std::mutex mutex_;
  State state_ = State::kClosed;
  int failures_ = 0;
  std::int64_t first_failure_us_ = 0, probe_at_us_ = 0;
  std::string why_;
};

// One breaker for each model and address, made when first asked for.
class CircuitBreakers {
 public:
  CircuitBreakers(BreakerOptions options, const Clock& clock) : options_(options), clock_(clock) {}
  CircuitBreaker& of(const std::string& key);

 private:
  BreakerOptions options_;
  const Clock& clock_;
  std::mutex mutex_;
  std::map<std::string, std::unique_ptr<CircuitBreaker>> breakers_;
};

}  // namespace coppice::services
