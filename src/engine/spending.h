// Spending: what calls of users' functions cost, kept in the home's database, and budgets.
//
// Model    Each function has a meter. What is settled is added to coppice.spending under the
//          operation (or 'query', 'estimate') that this process works on. Budgets are of the
//          operation, of the function and of the home, and hold for all processes of the home:
//          money is set aside in blocks before calls are made, and settled when they have ended. A
//          process that dies gives back what it has set aside; what it had in flight is not
//          counted.
// Threads  Every method may be called from any thread; one at a time asks the database. work_on()
//          while no call is under way.
// Errors   What the database throws.
// Source   docs/formats/spending.md; docs/decisions/0009-spending-and-estimates.md
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "base/money.h"
#include "config/config.h"
#include "engine/lazy_connection.h"
#include "workers/spending.h"

namespace coppice::engine {

class HomeSpending {
 public:
  using Open = std::function<pg::Connection()>;

  HomeSpending(const Config& config, Open open);
  // Gives back what it has set aside.
  ~HomeSpending();

  // Valid as long as this; `budget` is the one that holds from now on.
  SpendingMeter& meter(const std::string& function, const std::optional<Money>& budget);
  // What each statement may cost that begins from now on; nullopt: as much as it does.
  void limit_statements(const std::optional<Money>& budget);
  const std::optional<Money>& statement_limit() const { return statement_cap_; }
  // What calls are made for from now on: an operation ("12-5"), whose budget is kept in the
  // catalog, or "query" or "estimate".
  void work_on(const std::string& work);
  const std::string& work() const { return work_; }
  // The totals of this process, by function.
  std::map<std::string, Usage> totals() const;
  const std::string& currency() const { return currency_; }

 private:
  class Meter;
  Allowance reserve(Meter& meter, const Money& each, std::int64_t wanted, std::int64_t ahead);
  void ask(Meter& meter, const Money& each, std::int64_t ahead, Allowance& allowance);
  std::string refusal(const std::string& scope, const Money& cap, const Money& spent,
                      const Money& each) const;
  void write(Meter& meter);
  pg::Connection& connection() { return connection_.get(open_); }

  Open open_;
  const std::string holder_;
  const std::string currency_;
  const std::optional<Money> home_cap_, day_cap_;
  mutable std::mutex mutex_;
  LazyConnection connection_;
  std::string work_ = "query";
  std::optional<Money> statement_cap_;
  std::optional<Money> work_cap_;  // of what is no operation
  Money work_spent_;               // since work_on(), with what is in flight
  std::map<std::string, std::unique_ptr<Meter>> meters_;
};

// "12.50" of --budget or SET coppice.budget. Throws kUsage.
Money budget_amount(const std::string& text);

// While it lives, calls are made for this work; then again for what it was before.
class SpendingScope {
 public:
  SpendingScope(HomeSpending& spending, const std::string& work);
  ~SpendingScope();
  SpendingScope(const SpendingScope&) = delete;
  SpendingScope& operator=(const SpendingScope&) = delete;

 private:
  HomeSpending& spending_;
  std::string before_;
};

}  // namespace coppice::engine
