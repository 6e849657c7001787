// LocalLimits: SharedLimits of one process.
//
// Threads  Every method may be called from any thread.
#pragma once

#include <map>
#include <mutex>
#include <string>

#include "base/clock.h"
#include "services/shared_limits.h"

namespace coppice::services {

// Fills evenly and holds one second's worth, or one request where that is less.
class TokenBucket {
 public:
  // How long until `amount` may be taken. With `debt` anything above zero will do.
  std::chrono::milliseconds wait_for(double amount, bool debt) const;
  void fill(double per_minute, std::int64_t now_us);
  void take(double amount) { level_ -= amount; }
  double level() const { return level_; }

 private:
  double level_ = 0, per_minute_ = 0;
  std::int64_t filled_us_ = 0;
};

class LocalLimits final : public SharedLimits {
 public:
  explicit LocalLimits(const Clock& clock) : clock_(clock) {}  // borrowed

  std::optional<std::chrono::milliseconds> take(const std::string& key, const RateLimits& limits,
                                                double tokens) override;
  void give_back(const std::string& key, double tokens_more) override;
  void note(const std::string& key, const LearnedLimits& learned) override;
  void keep_alive(const std::string&, const RateLimits&) override {}
  void rest(const std::string&) override {}

 private:
  struct Model {
    TokenBucket requests, tokens;
    double learned_requests = 0, learned_tokens = 0;  // 0: not known
    std::int64_t paused_until_us = 0;
    int in_flight = 0;
  };

  const Clock& clock_;
  std::mutex mutex_;
  std::map<std::string, Model> models_;
};

// The smaller of the two, 0 being no limit.
double smaller_limit(double configured, double learned);

}  // namespace coppice::services
