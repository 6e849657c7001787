#include "engine/spending.h"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>

#include "base/clock.h"
#include "base/error.h"
#include "base/sha256.h"

namespace coppice::engine {
namespace {

constexpr std::chrono::milliseconds kPause{50};  // before what others hold is asked for again
constexpr std::int64_t kMostAhead = 64;          // calls that a block is for

std::optional<Money> cap_of(const Config& config, std::string_view key) {
  const std::string& text = config.text(key);
  return text.empty() ? std::nullopt : Money::parse(text);
}

pg::Parameter parameter(const std::optional<Money>& money) {
  return money ? pg::Parameter(money->text()) : std::nullopt;
}

}  // namespace

class HomeSpending::Meter final : public SpendingMeter {
 public:
  Meter(HomeSpending& home, std::string function) : home_(home), function_(std::move(function)) {}

  Allowance reserve(const Money& each, std::int64_t wanted, std::int64_t ahead) override {
    const std::lock_guard lock(home_.mutex_);
    return home_.reserve(*this, each, wanted, ahead);
  }
  void settle(const Money& reserved, const Usage& usage) override {
    const std::lock_guard lock(home_.mutex_);
    in_flight_ -= reserved;
    home_.work_spent_ += usage.money - reserved;
    pending_ += usage;
    total_ += usage;
  }
  void keep() override {
    const std::lock_guard lock(home_.mutex_);
    home_.write(*this);
  }
  void rest() override {
    const std::lock_guard lock(home_.mutex_);
    ahead_ = Money();
    home_.write(*this);
  }
  Usage total() const override {
    const std::lock_guard lock(home_.mutex_);
    return total_;
  }

 private:
  friend class HomeSpending;

  HomeSpending& home_;
  const std::string function_;
  std::optional<Money> budget_;
  Money in_flight_;     // set aside for calls that are made now
  Money ahead_;         // set aside for the next ones
  bool holds_ = false;  // the database knows of it
  Usage pending_, total_;
};

HomeSpending::HomeSpending(const Config& config, Open open)
    : open_(std::move(open)),
      holder_(fmt::format("{}-{}", ::getpid(), to_hex(random_bytes(8)))),
      currency_(config.text("budget.currency")),
      home_cap_(cap_of(config, "budget.total")),
      day_cap_(cap_of(config, "budget.per_day")) {}

HomeSpending::~HomeSpending() {
  try {
    for (const auto& [function, meter] : meters_) meter->rest();
  } catch (...) {
    // The database is away: what is set aside ends with the session.
  }
}

SpendingMeter& HomeSpending::meter(const std::string& function,
                                   const std::optional<Money>& budget) {
  const std::lock_guard lock(mutex_);
  std::unique_ptr<Meter>& meter = meters_[function];
  if (meter == nullptr) meter = std::make_unique<Meter>(*this, function);
  meter->budget_ = budget;
  return *meter;
}

void HomeSpending::limit_statements(const std::optional<Money>& budget) {
  const std::lock_guard lock(mutex_);
  statement_cap_ = budget;
}

void HomeSpending::work_on(const std::string& work) {
  const std::lock_guard lock(mutex_);
  for (const auto& [function, meter] : meters_) {
    meter->ahead_ = Money();
    write(*meter);
  }
  work_ = work;
  work_spent_ = Money();
  const std::size_t dash = work.find('-');
  work_cap_ = dash == std::string::npos ? statement_cap_ : std::nullopt;
  if (dash == std::string::npos || !statement_cap_) return;
  connection().exec_cached(
      "UPDATE coppice.operations SET budget = $3 WHERE tree_id = $1 AND op_id = $2",
      {work.substr(0, dash), work.substr(dash + 1), statement_cap_->text()});
}

std::map<std::string, Usage> HomeSpending::totals() const {
  const std::lock_guard lock(mutex_);
  std::map<std::string, Usage> totals;
  for (const auto& [function, meter] : meters_) totals[function] = meter->total_;
  return totals;
}

Allowance HomeSpending::reserve(Meter& meter, const Money& each, std::int64_t wanted,
                                std::int64_t ahead) {
  Allowance allowance;
  if (work_cap_) {
    const std::int64_t paid = (*work_cap_ - work_spent_).times(each);
    if (paid == 0 && !meter.in_flight_.is_zero()) return {0, kPause, {}};
    if (paid == 0) return {0, {}, refusal(work_, *work_cap_, work_spent_, each)};
    wanted = std::min(wanted, paid);
  }
  if (meter.ahead_ < each * wanted) ask(meter, each, std::max(wanted, ahead), allowance);
  allowance.calls = std::min(wanted, meter.ahead_.times(each));
  if (allowance.calls == 0) return allowance;
  const Money taken = each * allowance.calls;
  meter.ahead_ -= taken;
  meter.in_flight_ += taken;
  work_spent_ += taken;
  return {allowance.calls, std::nullopt, {}};
}

void HomeSpending::ask(Meter& meter, const Money& each, std::int64_t ahead, Allowance& allowance) {
  write(meter);
  const Money wanted = meter.in_flight_ + each * std::min(ahead, kMostAhead);
  const pg::Result answer = connection().exec_cached(
      "SELECT granted, is_full, scope, cap, spent FROM coppice.reserve_budget($1, $2, $3, $4, $5, "
      "$6, $7, $8, $9)",
      {holder_, work_, meter.function_, parameter(meter.budget_), parameter(home_cap_),
       parameter(day_cap_), meter.in_flight_.text(), each.text(), wanted.text()});
  const Money granted = Money::read(answer.text(0, 0));
  meter.ahead_ = granted.is_zero() ? Money() : granted - meter.in_flight_;
  meter.holds_ = !granted.is_zero() || !meter.in_flight_.is_zero();
  if (!granted.is_zero()) return;
  if (!answer.boolean(0, 1)) {
    allowance.wait = kPause;
    return;
  }
  allowance.refusal = refusal(std::string(answer.text(0, 2)), Money::read(answer.text(0, 3)),
                              Money::read(answer.text(0, 4)), each);
}

std::string HomeSpending::refusal(const std::string& scope, const Money& cap, const Money& spent,
                                  const Money& each) const {
  std::string whose = scope;
  if (scope == "home") whose = "the home (budget.total)";
  if (scope.starts_with("day ")) whose = "the home for a day (budget.per_day)";
  if (scope == "query" || scope == "estimate") whose = "this " + scope;
  std::string raise = "raise --budget";
  if (scope == "home") raise = "raise budget.total in config.toml";
  if (scope.starts_with("day "))
    raise = "wait for tomorrow (UTC), or raise budget.per_day in config.toml";
  if (scope.starts_with("function "))
    raise = "raise it: CREATE OR REPLACE FUNCTION … SET budget = …";
  if (scope.starts_with("operation ")) {
    raise = "raise it with --budget AMOUNT";
  }
  return fmt::format("the budget of {} is spent: {} of {} {}, and the next call costs {}\n{}",
                     whose, spent.shown(), cap.shown(), currency_, each.shown(), raise);
}

void HomeSpending::write(Meter& meter) {
  const Money hold = meter.in_flight_ + meter.ahead_;
  const bool releases = meter.holds_ && hold.is_zero();
  if (meter.pending_.empty() && !releases) return;
  const Usage& usage = meter.pending_;
  // What keeps the results waits for the disk, and this was written before.
  connection().exec_cached(
      "SELECT coppice.settle_spending($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) "
      "WHERE set_config('synchronous_commit', 'off', true) IS NOT NULL",
      {holder_, work_, meter.function_, std::to_string(usage.calls), std::to_string(usage.failures),
       std::to_string(usage.kept), std::to_string(usage.requests), std::to_string(usage.tokens_in),
       std::to_string(usage.tokens_out), usage.money.text(), fmt::format("{:.6f}", usage.seconds),
       hold.text()});
  meter.pending_ = Usage();
  meter.holds_ = !hold.is_zero();
}

Money budget_amount(const std::string& text) {
  if (const auto amount = Money::parse(text)) return *amount;
  throw Error(ErrorCode::kUsage, fmt::format("\"{}\" is not a budget", text),
              "an amount of money is wanted, without a sign or a currency: 12.50");
}

SpendingScope::SpendingScope(HomeSpending& spending, const std::string& work)
    : spending_(spending), before_(spending.work()) {
  spending_.work_on(work);
}

SpendingScope::~SpendingScope() {
  try {
    spending_.work_on(before_);
  } catch (...) {
    // The database is away: the error that ends the work says so.
  }
}

}  // namespace coppice::engine
