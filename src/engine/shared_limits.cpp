#include "engine/shared_limits.h"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>

#include "base/clock.h"
#include "base/sha256.h"

namespace coppice::engine {
namespace {

using services::LearnedLimits;
using services::RateLimits;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds kBlockTime{1'000};
constexpr milliseconds kSlotTime{10'000};
constexpr milliseconds kSlotRenewal{2'000};
// Whoever gets less than it wanted asks again after it.
constexpr milliseconds kPause{50};
// A slot of this process becomes free when a call ends; its own loop sees that, and wakes others.
constexpr milliseconds kOwnSlotWait{1};
// Taken ahead; what is too much goes back a second later.
constexpr int kBlockRequests = 64;

pg::Parameter limit(double per_minute) {
  return per_minute > 0 ? pg::Parameter(fmt::format("{}", per_minute)) : std::nullopt;
}

}  // namespace

HomeLimits::HomeLimits(Open open)
    : open_(std::move(open)), holder_(fmt::format("{}-{}", ::getpid(), to_hex(random_bytes(8)))) {}

HomeLimits::~HomeLimits() {
  try {
    const std::lock_guard lock(mutex_);
    for (auto& [key, model] : models_) hand_back(key, model);
  } catch (...) {
    // The database is away: what is held there expires.
  }
}

std::optional<milliseconds> HomeLimits::take(const std::string& key, const RateLimits& limits,
                                             double tokens) {
  const std::lock_guard lock(mutex_);
  Model& model = models_[key];
  if (limits.in_flight > 0 && model.in_flight >= limits.in_flight) return kOwnSlotWait;
  if (!model.may_send(limits)) {
    if (steady_clock::now() >= model.ask_again) ask(key, limits, tokens, model);
    if (!model.may_send(limits)) {
      const auto wait = std::chrono::ceil<milliseconds>(model.ask_again - steady_clock::now());
      return std::max(wait, milliseconds(1));
    }
  }
  model.requests_left -= 1;
  model.tokens_left -= tokens;
  model.in_flight += 1;
  return std::nullopt;
}

bool HomeLimits::Model::may_send(const RateLimits& limits) const {
  const bool has_slot = limits.in_flight <= 0 || in_flight < slots;
  return has_slot && requests_left >= 1 && tokens_left > 0 && steady_clock::now() < valid_until;
}

void HomeLimits::ask(const std::string& key, const RateLimits& limits, double tokens,
                     Model& model) {
  const double tokens_wanted = std::max(tokens, 1.0) * kBlockRequests;
  const pg::Result answer = connection_.get(open_).exec_cached(
      "SELECT requests, tokens, coalesce(slots, 0), wait_ms FROM coppice.take_service_limits("
      "$1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
      {key, holder_, limit(limits.requests_per_minute), limit(limits.tokens_per_minute),
       limits.in_flight > 0 ? pg::Parameter(std::to_string(limits.in_flight)) : std::nullopt,
       std::to_string(model.in_flight), std::to_string(model.requests_left),
       fmt::format("{}", model.tokens_left), std::to_string(kBlockRequests),
       fmt::format("{}", tokens_wanted),
       fmt::format("{}", std::chrono::duration<double>(kSlotTime).count())});
  ++round_trips_;
  const TimePoint now = steady_clock::now();
  model.requests_left = std::stoi(std::string(answer.text(0, 0)));
  model.tokens_left = std::stod(std::string(answer.text(0, 1)));
  model.slots = std::stoi(std::string(answer.text(0, 2)));
  const auto wait =
      milliseconds(static_cast<std::int64_t>(std::ceil(std::stod(std::string(answer.text(0, 3))))));
  model.valid_until = now + kBlockTime;
  model.slots_renewed = now;
  const bool waits_for_slot = limits.in_flight > 0 && model.in_flight >= model.slots;
  const bool small = model.requests_left < kBlockRequests || model.tokens_left < tokens_wanted;
  // An empty bucket would be asked for every single call.
  model.ask_again = now + std::max(wait, waits_for_slot || small ? kPause : milliseconds(0));
}

void HomeLimits::give_back(const std::string& key, double tokens_more) {
  const std::lock_guard lock(mutex_);
  Model& model = models_[key];
  model.in_flight -= 1;
  model.tokens_left -= tokens_more;
}

void HomeLimits::keep_alive(const std::string& key, const RateLimits& limits) {
  const std::lock_guard lock(mutex_);
  Model& model = models_[key];
  const bool due = steady_clock::now() - model.slots_renewed >= kSlotRenewal;
  if (limits.in_flight > 0 && model.in_flight > 0 && due) ask(key, limits, 1, model);
}

void HomeLimits::note(const std::string& key, const LearnedLimits& learned) {
  const std::lock_guard lock(mutex_);
  Model& model = models_[key];
  const auto is_new = [](const auto& said, const auto& noted) { return said && said != noted; };
  const bool changed = is_new(learned.requests_per_minute, model.noted.requests_per_minute) ||
                       is_new(learned.tokens_per_minute, model.noted.tokens_per_minute) ||
                       learned.pause;
  if (!changed) return;
  const auto number = [](const std::optional<double>& value) {
    return value ? pg::Parameter(fmt::format("{}", *value)) : std::nullopt;
  };
  connection_.get(open_).exec_cached(
      "SELECT coppice.note_service_limits($1, $2, $3, $4)",
      {key, number(learned.requests_per_minute), number(learned.tokens_per_minute),
       learned.pause ? pg::Parameter(std::to_string(learned.pause->count())) : std::nullopt});
  ++round_trips_;
  model.noted.requests_per_minute = learned.requests_per_minute;
  model.noted.tokens_per_minute = learned.tokens_per_minute;
  // The block was taken before this was known.
  model.valid_until = model.ask_again = steady_clock::now();
}

void HomeLimits::rest(const std::string& key) {
  const std::lock_guard lock(mutex_);
  Model& model = models_[key];
  if (model.in_flight == 0) hand_back(key, model);
}

void HomeLimits::hand_back(const std::string& key, Model& model) {
  if (model.slots_renewed == TimePoint()) return;
  connection_.get(open_).exec_cached(
      "SELECT coppice.rest_service_limits($1, $2, $3, $4)",
      {key, holder_, std::to_string(model.requests_left), fmt::format("{}", model.tokens_left)});
  ++round_trips_;
  const LearnedLimits noted = model.noted;
  model = Model{};
  model.noted = noted;
}

}  // namespace coppice::engine
