#include "workers/metered_pool.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>

#include "base/error.h"

namespace coppice {
namespace {

Value number(std::int64_t value) {
  Value made;
  made.type = ValueType::kInteger;
  made.integer = value;
  return made;
}

// Gives back its argument; 13 fails.
class Echo final : public FunctionPool {
 public:
  BatchResult evaluate(const std::vector<Fragment>& fragments, const Batch& batch,
                       std::stop_token) override {
    if (breaks) throw Error(ErrorCode::kInterrupted, "stopped");
    BatchResult results;
    for (const Fragment& fragment : fragments) {
      const auto& column = batch.arguments[static_cast<std::size_t>(fragment.children[0].argument)];
      std::vector<Cell>& cells = results.emplace_back();
      for (const Value& value : column) {
        ++rows;
        cells.push_back(value.integer == 13 ? Cell(CellFailure{"unlucky", "13"}) : Cell(value));
      }
    }
    return results;
  }
  bool breaks = false;
  int rows = 0;
};

// Has a budget for so many calls.
class Purse final : public SpendingMeter {
 public:
  explicit Purse(std::int64_t calls) : left(calls) {}
  Allowance reserve(const Money&, std::int64_t wanted, std::int64_t) override {
    if (waits-- > 0) return {0, std::chrono::milliseconds(1), {}};
    const std::int64_t granted = std::min({wanted, left, std::int64_t{2}});
    left -= granted;
    return {granted, std::nullopt, granted == 0 ? "the purse is empty" : ""};
  }
  void settle(const Money& reserved, const Usage& usage) override {
    reserved_sum += reserved;
    sum += usage;
  }
  void keep() override {}
  void rest() override { ++rests; }
  Usage total() const override { return sum; }
  std::int64_t left;
  int waits = 0;
  int rests = 0;
  Money reserved_sum;
  Usage sum;
};

class MeteredPoolTest : public testing::Test {
 protected:
  MeteredPool& pool(std::int64_t calls, const char* price) {
    auto echo_pool = std::make_unique<Echo>();
    purse = std::make_unique<Purse>(calls);
    echo = echo_pool.get();
    pool_ = std::make_unique<MeteredPool>(std::move(echo_pool), *purse,
                                          MeteredOptions{*Money::parse(price), 4});
    return *pool_;
  }
  static std::vector<Fragment> fragments() {
    Fragment argument;
    argument.argument = 0;
    Fragment call;
    call.function = "f";
    call.children = {argument};
    return {call};
  }
  static Batch batch(std::vector<Value> values) {
    Batch rows;
    rows.row_count = values.size();
    rows.arguments.push_back(std::move(values));
    return rows;
  }
  Echo* echo = nullptr;
  std::unique_ptr<Purse> purse;

 private:
  std::unique_ptr<MeteredPool> pool_;
};

TEST_F(MeteredPoolTest, CountsCallsAndNotNulls) {
  const Batch rows = batch({number(1), Value{}, number(13)});
  pool(0, "0").evaluate(fragments(), rows, {});
  EXPECT_EQ(purse->sum.calls, 1);
  EXPECT_EQ(purse->sum.failures, 1);
  EXPECT_EQ(purse->sum.requests, 2);
  EXPECT_TRUE(purse->sum.money.is_zero());
}

TEST_F(MeteredPoolTest, MakesTheCallsThatArePaidForAndNoOther) {
  const Batch rows = batch({number(1), Value{}, number(2), number(3), number(4)});
  const BatchResult results = pool(3, "0.5").evaluate(fragments(), rows, {});
  EXPECT_EQ(echo->rows, 3);
  EXPECT_EQ(std::get<Value>(results[0][3]).integer, 3);
  EXPECT_TRUE(std::get<Value>(results[0][1]).is_null());
  const auto& refused = std::get<CellFailure>(results[0][4]);
  EXPECT_TRUE(is_budget_failure(refused));
  EXPECT_EQ(refused.message, "the purse is empty");
  EXPECT_EQ(purse->sum.money, *Money::parse("1.5"));
  EXPECT_EQ(purse->reserved_sum, purse->sum.money);
}

TEST_F(MeteredPoolTest, TellsItsWatcherWhatTheCallsHaveCost) {
  class Sum final : public CallWatcher {
   public:
    void all_begun() override {}
    void cost(const Money& money) override { sum += money; }
    Money sum;
  } watcher;
  const Batch rows = batch({number(1), Value{}, number(13), number(3), number(4)});
  pool(3, "0.5").evaluate_watched(fragments(), rows, watcher, {});
  EXPECT_EQ(watcher.sum, *Money::parse("1.5"));  // the failed one too, and not the refused one
}

TEST_F(MeteredPoolTest, WaitsForWhatOthersMayGiveBack) {
  MeteredPool& metered = pool(5, "1");
  purse->waits = 2;
  const BatchResult results = metered.evaluate(fragments(), batch({number(7)}), {});
  EXPECT_EQ(std::get<Value>(results[0][0]).integer, 7);
  std::stop_source stop;
  stop.request_stop();
  purse->waits = 100;
  EXPECT_THROW(metered.evaluate(fragments(), batch({number(7)}), stop.get_token()), Error);
}

TEST_F(MeteredPoolTest, CountsCallsThatWereCutShort) {
  MeteredPool& metered = pool(5, "1");
  echo->breaks = true;
  EXPECT_THROW(metered.evaluate(fragments(), batch({number(7), number(8)}), {}), Error);
  EXPECT_EQ(purse->sum.money, *Money::parse("2"));
  EXPECT_EQ(purse->rests, 1);
}

}  // namespace
}  // namespace coppice
