// HomeLimits: the limits of model services, shared by all processes of a home through its database.
//
// Model    A process takes requests and tokens in blocks that hold for a second, and slots for
// calls
//          in flight that hold for ten; so a thousand calls cost a few round trips. What is left of
//          a block goes back with the next one. Several processes get a fair share of the slots. A
//          process that dies takes its last block with it; its slots are free when they expire.
// Threads  Every method may be called from any thread; one at a time asks the database.
// Errors   What the database throws.
// Source   coppice.take_service_limits in catalog/schema_0002.sql
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <mutex>
#include <string>

#include "engine/lazy_connection.h"
#include "services/shared_limits.h"

namespace coppice::engine {

class HomeLimits final : public services::SharedLimits {
 public:
  using Open = std::function<pg::Connection()>;

  explicit HomeLimits(Open open);
  // Gives back what it holds.
  ~HomeLimits() override;

  std::optional<std::chrono::milliseconds> take(const std::string& key,
                                                const services::RateLimits& limits,
                                                double tokens) override;
  void give_back(const std::string& key, double tokens_more) override;
  void keep_alive(const std::string& key, const services::RateLimits& limits) override;
  void note(const std::string& key, const services::LearnedLimits& learned) override;
  void rest(const std::string& key) override;

  // How often the database was asked.
  std::int64_t round_trips() const { return round_trips_; }

 private:
  using TimePoint = std::chrono::steady_clock::time_point;
  struct Model {
    int requests_left = 0;
    double tokens_left = 0;
    int slots = 0;  // its share; more may be in flight for a while when it has become smaller
    int in_flight = 0;
    TimePoint valid_until, slots_renewed, ask_again;
    services::LearnedLimits noted;  // without pause
    bool may_send(const services::RateLimits& limits) const;
  };

  void ask(const std::string& key, const services::RateLimits& limits, double tokens, Model& model);
  void hand_back(const std::string& key, Model& model);

  Open open_;
  std::string holder_;
  std::mutex mutex_;
  LazyConnection connection_;
  std::map<std::string, Model> models_;
  std::int64_t round_trips_ = 0;
};

}  // namespace coppice::engine
