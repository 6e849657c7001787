// SpendingMeter: asked before calls of a function are made, and told what they have cost.
//
// Model    Prices are the user's facts. What calls may cost is set aside before they are made and
//          settled when they have ended, so that a budget holds for what is in flight, too. A call
//          that no budget has room for is not made: its cell fails with kBudgetSpent, which is
//          never kept as a value or as an error of a row. The evaluator makes a pause of it.
// Units    Prices of tokens are for a million.
// Threads  Every method may be called from any thread.
// Errors   An implementation over a database throws what that throws.
// Source   docs/formats/spending.md
#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>

#include "base/error.h"
#include "base/money.h"
#include "workers/value.h"

namespace coppice {

// No function can give this: types of failures have no spaces.
inline constexpr const char* kBudgetSpent = "budget spent";

inline bool is_budget_failure(const CellFailure& failure) { return failure.type == kBudgetSpent; }
// As an error, kPaused: the second line of the failure's message is the hint.
Error budget_error(const CellFailure& failure);

struct Prices {
  Money call, input, output;

  bool free() const { return call.is_zero() && input.is_zero() && output.is_zero(); }
  Money cost(std::int64_t calls, std::int64_t tokens_in, std::int64_t tokens_out) const {
    return call * calls + input.of_million(tokens_in) + output.of_million(tokens_out);
  }
};

struct Usage {
  std::int64_t calls = 0;     // that gave a value
  std::int64_t requests = 0;  // sent, all attempts; of embeddings one may be many calls
  std::int64_t retries = 0;
  std::int64_t failures = 0;  // calls that failed for good
  std::int64_t kept = 0;      // calls that need not be made: their results were kept
  std::int64_t repeats = 0;   // that equal one made for the same work; while that is told apart
  std::int64_t tokens_in = 0, tokens_out = 0;
  Money money;
  double seconds = 0;  // that calls took, each by itself

  Usage& operator+=(const Usage& other);
  bool empty() const {
    return calls + requests + failures + kept + repeats + tokens_in + tokens_out == 0 &&
           money.is_zero();
  }
};

// What SET name = 'value' on a function says of money. Throws kUsage when it is no amount.
Money amount_setting(const std::string& name, const std::string& value);
// SET budget on a function without a price would be obeyed by nobody: throws kUsage.
void check_budget_has_price(const std::optional<Money>& budget, const Prices& prices);

// What a budget says.
struct Allowance {
  std::int64_t calls = 0;                         // that may be made now
  std::optional<std::chrono::milliseconds> wait;  // none now; others hold what is left: ask again
  std::string refusal;                            // none at all: which budget is spent
};

// Of one function.
class SpendingMeter {
 public:
  virtual ~SpendingMeter() = default;

  // Sets `each` aside for up to `wanted` calls (at least one), which the caller makes now and
  // settle()s. `ahead`: it will want so many more soon.
  virtual Allowance reserve(const Money& each, std::int64_t wanted, std::int64_t ahead) = 0;
  // Calls have ended: `reserved` was set aside for them.
  virtual void settle(const Money& reserved, const Usage& usage) = 0;
  // What was settled is kept; called about once a second while calls are made.
  virtual void keep() = 0;
  // As keep(), and this caller has nothing in flight: what is set aside may go to others.
  virtual void rest() = 0;
  // All that was settled since it was made.
  virtual Usage total() const = 0;
};

// Adds up and knows no budget.
class CountingMeter final : public SpendingMeter {
 public:
  Allowance reserve(const Money&, std::int64_t wanted, std::int64_t) override {
    return {wanted, std::nullopt, {}};
  }
  void settle(const Money&, const Usage& usage) override;
  void keep() override {}
  void rest() override {}
  Usage total() const override;

 private:
  mutable std::mutex mutex_;
  Usage total_;
};

}  // namespace coppice
