#include "workers/spending.h"

#include <fmt/core.h>

#include <algorithm>

namespace coppice {

Usage& Usage::operator+=(const Usage& other) {
  calls += other.calls;
  requests += other.requests;
  retries += other.retries;
  failures += other.failures;
  kept += other.kept;
  repeats += other.repeats;
  tokens_in += other.tokens_in;
  tokens_out += other.tokens_out;
  money += other.money;
  seconds += other.seconds;
  return *this;
}

Money amount_setting(const std::string& name, const std::string& value) {
  if (const auto amount = Money::parse(value)) return *amount;
  throw Error(
      ErrorCode::kUsage, fmt::format("SET {} = '{}': an amount of money is wanted", name, value),
      fmt::format("digits with at most nine decimals, without a sign or a currency: SET {} = "
                  "0.002; the currency is budget.currency of config.toml",
                  name));
}

void check_budget_has_price(const std::optional<Money>& budget, const Prices& prices) {
  if (!budget || !prices.free()) return;
  throw Error(ErrorCode::kUsage, "SET budget has no effect: the function has no price",
              "say what a call costs: SET call_price = 0.002; functions of models may have "
              "input_price and output_price, for a million tokens");
}

Error budget_error(const CellFailure& failure) {
  const std::string& text = failure.message;
  const std::size_t end = std::min(text.find('\n'), text.size());
  return {ErrorCode::kPaused, text.substr(0, end), text.substr(std::min(end + 1, text.size()))};
}

void CountingMeter::settle(const Money&, const Usage& usage) {
  const std::lock_guard lock(mutex_);
  total_ += usage;
}

Usage CountingMeter::total() const {
  const std::lock_guard lock(mutex_);
  return total_;
}

}  // namespace coppice
