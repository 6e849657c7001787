#include "services/circuit_breaker.h"

#include <fmt/core.h>

#include <ctime>

namespace coppice::services {
namespace {

std::string clock_text(std::int64_t time_us) {
  const std::time_t seconds = static_cast<std::time_t>(time_us / 1'000'000);
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  return fmt::format("{:02}:{:02}:{:02} UTC", parts.tm_hour, parts.tm_min, parts.tm_sec);
}

}  // namespace

std::optional<std::string> CircuitBreaker::refusal() {
  const std::lock_guard lock(mutex_);
  if (state_ == State::kClosed) return std::nullopt;
  if (state_ == State::kOpen && clock_.now_us() >= probe_at_us_) {
    state_ = State::kProbing;
    return std::nullopt;
  }
  return fmt::format("not asked: since {} {} attempts in a row have failed, the last one with: {}",
                     clock_text(first_failure_us_), failures_, why_);
}

void CircuitBreaker::succeeded() {
  const std::lock_guard lock(mutex_);
  // An answer to what was sent before it opened proves as much as one to a probe.
  state_ = State::kClosed;
  failures_ = 0;
}

void CircuitBreaker::failed(const std::string& why) {
  const std::lock_guard lock(mutex_);
  const std::int64_t now_us = clock_.now_us();
  if (failures_++ == 0) first_failure_us_ = now_us;
  why_ = why;
  const bool long_enough = now_us - first_failure_us_ >= options_.least_span.count() * 1000;
  const bool often_enough = failures_ >= options_.failure_count;
  if (state_ == State::kProbing || (state_ == State::kClosed && long_enough && often_enough)) {
    state_ = State::kOpen;
    probe_at_us_ = now_us + options_.pause.count() * 1000;
  }
}

void CircuitBreaker::abandoned() {
  const std::lock_guard lock(mutex_);
  if (state_ == State::kProbing) state_ = State::kOpen;  // the next call is the probe
}

CircuitBreaker& CircuitBreakers::of(const std::string& key) {
  const std::lock_guard lock(mutex_);
  std::unique_ptr<CircuitBreaker>& breaker = breakers_[key];
  if (!breaker) breaker = std::make_unique<CircuitBreaker>(options_, clock_);
  return *breaker;
}

}  // namespace coppice::services
