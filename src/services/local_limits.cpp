#include "services/local_limits.h"

#include <algorithm>
#include <cmath>

namespace coppice::services {
namespace {

using std::chrono::milliseconds;

// A slot becomes free when a call ends: the loop of that call sees it, and wakes others.
constexpr milliseconds kSlotWait{1};
constexpr double kMinuteUs = 60e6;

}  // namespace

double smaller_limit(double configured, double learned) {
  if (configured <= 0) return learned;
  return learned <= 0 ? configured : std::min(configured, learned);
}

milliseconds TokenBucket::wait_for(double amount, bool debt) const {
  if (per_minute_ <= 0) return milliseconds(0);
  const double missing = debt ? 1e-9 - level_ : amount - level_;
  // Sums of small fills never reach a whole number exactly.
  if (missing <= 1e-6) return milliseconds(0);
  return milliseconds(static_cast<std::int64_t>(std::ceil(missing * 60'000 / per_minute_)));
}

void TokenBucket::fill(double per_minute, std::int64_t now_us) {
  const double most = std::max(1.0, per_minute / 60);
  if (filled_us_ == 0) {
    level_ = most;
  } else {
    // A clock that was set back fills nothing.
    const double elapsed_us = static_cast<double>(std::max<std::int64_t>(0, now_us - filled_us_));
    level_ += elapsed_us * per_minute / kMinuteUs;
  }
  level_ = std::min(level_, most);
  per_minute_ = per_minute;
  filled_us_ = now_us;
}

std::optional<milliseconds> LocalLimits::take(const std::string& key, const RateLimits& limits,
                                              double tokens) {
  const std::lock_guard lock(mutex_);
  Model& model = models_[key];
  const std::int64_t now_us = clock_.now_us();
  if (model.paused_until_us > now_us) {
    return milliseconds((model.paused_until_us - now_us + 999) / 1000);
  }
  if (limits.in_flight > 0 && model.in_flight >= limits.in_flight) return kSlotWait;
  model.requests.fill(smaller_limit(limits.requests_per_minute, model.learned_requests), now_us);
  model.tokens.fill(smaller_limit(limits.tokens_per_minute, model.learned_tokens), now_us);
  const milliseconds wait = std::max(model.requests.wait_for(1, false),  //
                                     model.tokens.wait_for(tokens, true));
  if (wait.count() > 0) return wait;
  model.requests.take(1);
  model.tokens.take(tokens);
  ++model.in_flight;
  return std::nullopt;
}

void LocalLimits::give_back(const std::string& key, double tokens_more) {
  const std::lock_guard lock(mutex_);
  Model& model = models_[key];
  --model.in_flight;
  model.tokens.take(tokens_more);
}

void LocalLimits::note(const std::string& key, const LearnedLimits& learned) {
  const std::lock_guard lock(mutex_);
  Model& model = models_[key];
  if (learned.requests_per_minute) model.learned_requests = *learned.requests_per_minute;
  if (learned.tokens_per_minute) model.learned_tokens = *learned.tokens_per_minute;
  if (learned.pause) {
    const std::int64_t until_us = clock_.now_us() + learned.pause->count() * 1000;
    model.paused_until_us = std::max(model.paused_until_us, until_us);
  }
}

}  // namespace coppice::services
