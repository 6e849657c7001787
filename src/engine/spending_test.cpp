// Budgets that several processes of a home share, through a real database; and what estimates make
// of a sample.
#include "engine/spending.h"

#include <gtest/gtest.h>

#include <memory>
#include <numeric>

#include "base/files.h"
#include "catalog/schema.h"
#include "engine/estimate_figures.h"
#include "pg/test_server.h"

namespace coppice::engine {
namespace {

Money money(std::string_view text) { return *Money::parse(text); }

class SpendingTest : public ::testing::Test {
 protected:
  SpendingTest() {
    for (int format = 1; format <= catalog::kCatalogFormat; ++format) {
      connection_.exec(std::string(catalog::schema_text(format)));
    }
  }

  std::unique_ptr<HomeSpending> process(const std::string& total = "") {
    ConfigRequest request;
    request.home = folder_.path();
    if (!total.empty()) request.environment["COPPICE_BUDGET_TOTAL"] = total;
    return std::make_unique<HomeSpending>(Config::load(request),
                                          [this] { return database_.connect(); });
  }
  static Usage calls_for(std::int64_t count, const Money& each) {
    Usage usage;
    usage.calls = count;
    usage.money = each * count;
    return usage;
  }
  Money spent() {
    const pg::Result row = connection_.exec("SELECT money FROM coppice.spent WHERE scope = 'home'");
    return row.rows() == 0 ? Money() : Money::read(row.text(0, 0));
  }
  std::int64_t holds() {
    return connection_.exec("SELECT count(*) FROM coppice.budget_holds").integer(0, 0);
  }

  ScratchFolder folder_{std::filesystem::temp_directory_path(), "spending"};
  pg::TestDatabase database_;
  pg::Connection connection_ = database_.connect();
};

TEST_F(SpendingTest, LetsThroughWhatABudgetPaysForAndNoCallMore) {
  const auto home = process("1");
  SpendingMeter& meter = home->meter("f", std::nullopt);
  std::int64_t made = 0;
  for (;;) {
    const Allowance allowance = meter.reserve(money("0.3"), 2, 5);
    if (allowance.calls == 0) {
      EXPECT_FALSE(allowance.wait);
      EXPECT_NE(allowance.refusal.find("budget.total"), std::string::npos) << allowance.refusal;
      break;
    }
    made += allowance.calls;
    meter.settle(money("0.3") * allowance.calls, calls_for(allowance.calls, money("0.3")));
    meter.keep();
  }
  EXPECT_EQ(made, 3);
  EXPECT_EQ(spent(), money("0.9"));
  meter.rest();
  EXPECT_EQ(holds(), 0);
}

TEST_F(SpendingTest, WhatIsInFlightIsNotSpentTwice) {
  const auto one = process("1");
  const auto other = process("1");
  SpendingMeter& first = one->meter("f", std::nullopt);
  SpendingMeter& second = other->meter("g", std::nullopt);
  EXPECT_EQ(first.reserve(money("0.2"), 3, 3).calls, 3);
  EXPECT_EQ(second.reserve(money("0.2"), 5, 5).calls, 2);
  EXPECT_TRUE(second.reserve(money("0.2"), 1, 1).wait);
  // It was cheaper than thought, and the rest is free again.
  first.settle(money("0.6"), calls_for(3, money("0.1")));
  first.rest();
  EXPECT_EQ(second.reserve(money("0.2"), 5, 5).calls, 1);
}

TEST_F(SpendingTest, WhatAProcessHadSetAsideEndsWithIt) {
  auto dies = process("1");
  EXPECT_EQ(dies->meter("f", std::nullopt).reserve(money("0.5"), 2, 2).calls, 2);
  const auto lives = process("1");
  SpendingMeter& meter = lives->meter("f", std::nullopt);
  EXPECT_TRUE(meter.reserve(money("0.5"), 1, 1).wait);
  connection_.exec("SELECT pg_terminate_backend(backend_pid, 5000) FROM coppice.budget_holds");
  EXPECT_EQ(meter.reserve(money("0.5"), 2, 2).calls, 2);
}

TEST_F(SpendingTest, CrumbsThatTwoProcessesHoldBlockNeither) {
  const auto one = process("1");
  const auto other = process("1");
  SpendingMeter& first = one->meter("f", std::nullopt);
  SpendingMeter& second = other->meter("f", std::nullopt);
  // Each has a call in flight and a rest that is too small for another.
  ASSERT_EQ(first.reserve(money("0.2"), 1, 2).calls, 1);
  ASSERT_EQ(second.reserve(money("0.2"), 1, 2).calls, 1);
  first.settle(money("0.2"), calls_for(1, money("0.2")));
  second.settle(money("0.2"), calls_for(1, money("0.2")));
  Allowance a = first.reserve(money("0.5"), 1, 1);
  Allowance b = second.reserve(money("0.5"), 1, 1);
  if (a.calls == 0) a = first.reserve(money("0.5"), 1, 1);
  EXPECT_EQ(a.calls + b.calls, 1);
}

TEST_F(SpendingTest, AQueryHasALimitOfItsOwn) {
  const auto home = process();
  home->limit_statements(money("0.5"));
  home->work_on("query");
  SpendingMeter& meter = home->meter("f", std::nullopt);
  EXPECT_EQ(meter.reserve(money("0.2"), 9, 9).calls, 2);
  EXPECT_TRUE(meter.reserve(money("0.2"), 1, 1).wait);  // for what is in flight
  meter.settle(money("0.4"), calls_for(2, money("0.2")));
  EXPECT_NE(meter.reserve(money("0.2"), 1, 1).refusal, "");
  home->work_on("query");
  EXPECT_EQ(meter.reserve(money("0.2"), 1, 1).calls, 1);
}

TEST(ScaledTotal, IsExactWhenAllRowsWereRun) {
  const Total total = scaled_total({3, 5}, {1, 1}, 2);
  EXPECT_EQ(total.estimate, 8);
  EXPECT_EQ(total.low, 8);
  EXPECT_EQ(total.high, 8);
}

TEST(ScaledTotal, SaysNothingOfTheSpreadOfOneRow) {
  const Total total = scaled_total({3}, {1}, 10);
  EXPECT_EQ(total.estimate, 30);
  EXPECT_FALSE(total.low || total.high);
}

TEST(ScaledTotal, OfNoRowsIsNothing) {
  const Total total = scaled_total({0}, {0}, 0);
  EXPECT_EQ(total.estimate, 0);
  EXPECT_EQ(total.high, 0);
}

TEST(ScaledTotal, KeepsRoomWhereAllWasTheSame) {
  const Total total = scaled_total({2, 2, 2, 2, 2}, {2, 2, 2, 2, 2}, 1000);
  EXPECT_EQ(total.estimate, 1000);
  EXPECT_LT(*total.low, 800);
  EXPECT_GT(*total.high, 1200);
  const Total none = scaled_total({0, 0}, {50, 50}, 1000);
  EXPECT_EQ(none.low, 0);
  EXPECT_NEAR(*none.high, 30, 3);
}

TEST(ScaledTotal, HoldsTheTruthAsOftenAsItSays) {
  // Groups of a population that is easily known: 0 … 999, the sum is 499,500.
  std::uint64_t state = 88172645463325252ULL;
  const auto next = [&] {
    state ^= state << 13U;
    state ^= state >> 7U;
    state ^= state << 17U;
    return static_cast<double>(state % 1000);
  };
  int held = 0;
  constexpr int kTrials = 2000;
  for (int trial = 0; trial < kTrials; ++trial) {
    std::vector<double> values(10), units(10, 4);
    for (double& value : values) value = next() + next() + next() + next();
    const Total total = scaled_total(values, units, 1000);
    held += *total.low <= 499'500 && 499'500 <= *total.high ? 1 : 0;
  }
  EXPECT_GT(held, kTrials * 0.92);
  EXPECT_LT(held, kTrials * 0.98);
}

TEST(DifferentIn, FollowsFromTheSample) {
  EXPECT_EQ(different_in(1000, 20, 20), 1000);  // none was like another
  EXPECT_EQ(different_in(1000, 20, 1), 1);
  // Ten kinds: of 20 drawn 8.78 are different.
  EXPECT_NEAR(different_in(1000, 20, 8.784), 10, 0.1);
  EXPECT_NEAR(different_in(400, 100, 50), 62, 2);
}

TEST(NumberText, IsShortAndWithoutExponent) {
  EXPECT_EQ(number_text(1234567.4, "rows"), "1234567");
  EXPECT_EQ(number_text(0.0000123456789, "USD"), "0.0000123457");
  EXPECT_EQ(number_text(12.5, "USD"), "12.5");
  EXPECT_EQ(number_text(0, "USD"), "0");
}

}  // namespace
}  // namespace coppice::engine
