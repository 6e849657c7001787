// Limits that several processes of a home share, through a real database.
#include "engine/shared_limits.h"

#include <gtest/gtest.h>

#include <thread>

#include "catalog/schema.h"
#include "pg/test_server.h"

namespace coppice::engine {
namespace {

using services::LearnedLimits;
using services::RateLimits;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

class SharedLimitsTest : public ::testing::Test {
 protected:
  SharedLimitsTest() {
    for (int format = 1; format <= 2; ++format) {
      connection_.exec(std::string(catalog::schema_text(format)));
    }
  }

  HomeLimits process() {
    return HomeLimits([this] { return database_.connect(); });
  }
  // Takes as fast as it may for so long; how many calls it was.
  static int calls_within(HomeLimits& limits, const RateLimits& rate, milliseconds time,
                          double tokens = 0) {
    const auto end = steady_clock::now() + time;
    int calls = 0;
    while (steady_clock::now() < end) {
      if (const auto wait = limits.take("m", rate, tokens)) {
        std::this_thread::sleep_for(std::min(*wait, milliseconds(20)));
        continue;
      }
      limits.give_back("m", 0);
      ++calls;
    }
    return calls;
  }

  pg::TestDatabase database_;
  pg::Connection connection_ = database_.connect();
};

TEST_F(SharedLimitsTest, TwoProcessesTogetherKeepTheRate) {
  HomeLimits first = process(), second = process();
  const RateLimits rate{6'000, 0, 0};  // 100 a second, and 100 at once
  int seconds_calls = 0;
  std::jthread other([&] { seconds_calls = calls_within(second, rate, milliseconds(3'000)); });
  const int firsts_calls = calls_within(first, rate, milliseconds(3'000));
  other.join();
  EXPECT_LE(firsts_calls + seconds_calls, 410);
  EXPECT_GE(firsts_calls + seconds_calls, 300);
  EXPECT_GT(firsts_calls, 20);
  EXPECT_GT(seconds_calls, 20);
}

TEST_F(SharedLimitsTest, ManyCallsCostFewRoundTrips) {
  HomeLimits limits = process();
  // 10,000 calls a minute.
  const int calls = calls_within(limits, {20'000, 1e9, 64}, milliseconds(1'000), 100);
  EXPECT_GT(calls, 300);
  EXPECT_LT(limits.round_trips(), calls / 10);
}

TEST_F(SharedLimitsTest, WithoutALimitCallsAreAlmostFree) {
  HomeLimits limits = process();
  const int calls = calls_within(limits, {0, 0, 64}, milliseconds(500), 100);
  EXPECT_GT(calls, 10'000);
  EXPECT_LT(limits.round_trips(), 10 + calls / 50'000);  // a block has 100,000
}

TEST_F(SharedLimitsTest, TokensThatWereOwedArePaidByBoth) {
  HomeLimits first = process(), second = process();
  const RateLimits rate{0, 60'000, 0};  // 1,000 a second
  ASSERT_EQ(first.take("m", rate, 500), std::nullopt);
  first.give_back("m", 2'500);  // it cost 3,000
  first.rest("m");
  const auto wait = second.take("m", rate, 10);
  ASSERT_TRUE(wait);
  EXPECT_GT(*wait, milliseconds(1'500));
  EXPECT_LT(*wait, milliseconds(2'100));
}

TEST_F(SharedLimitsTest, SlotsAreSharedFairlyAndNeverTooMany) {
  HomeLimits first = process(), second = process();
  const RateLimits rate{0, 0, 8};
  int first_held = 0, second_held = 0;
  while (!first.take("m", rate, 0)) ++first_held;
  EXPECT_EQ(first_held, 8);
  EXPECT_NE(second.take("m", rate, 0), std::nullopt);  // but it is known to wait
  // The first one's calls end one by one, and it always wants more.
  for (int i = 0; i < 100 && second_held < 4; ++i) {
    std::this_thread::sleep_for(milliseconds(20));
    if (first_held > 0) {
      first.give_back("m", 0);
      --first_held;
    }
    std::this_thread::sleep_for(milliseconds(60));
    while (!first.take("m", rate, 0)) ++first_held;
    while (!second.take("m", rate, 0)) ++second_held;
    ASSERT_LE(first_held + second_held, 8);
  }
  EXPECT_EQ(first_held, 4);
  EXPECT_EQ(second_held, 4);
  while (second_held-- > 0) second.give_back("m", 0);
  second.rest("m");
  std::this_thread::sleep_for(milliseconds(60));
  while (!first.take("m", rate, 0)) ++first_held;
  EXPECT_EQ(first_held, 8);
}

TEST_F(SharedLimitsTest, SlotsOfADeadProcessExpire) {
  const RateLimits rate{0, 0, 2};
  connection_.exec(
      "INSERT INTO coppice.service_slots VALUES "
      "('m', 'dead', 2, 2, clock_timestamp() + interval '150 ms')");
  HomeLimits limits = process();
  EXPECT_NE(limits.take("m", rate, 0), std::nullopt);
  std::this_thread::sleep_for(milliseconds(250));
  EXPECT_EQ(limits.take("m", rate, 0), std::nullopt);
}

TEST_F(SharedLimitsTest, WhatOneLearnsHoldsForAll) {
  HomeLimits first = process(), second = process();
  LearnedLimits learned;
  learned.requests_per_minute = 60;
  first.note("m", learned);
  const std::int64_t asked = first.round_trips();
  first.note("m", learned);  // nothing new
  EXPECT_EQ(first.round_trips(), asked);
  EXPECT_EQ(second.take("m", {6'000, 0, 0}, 0), std::nullopt);
  std::this_thread::sleep_for(milliseconds(60));
  EXPECT_GT(second.take("m", {6'000, 0, 0}, 0).value_or(milliseconds(0)), milliseconds(700));
  LearnedLimits pause;
  pause.pause = milliseconds(5'000);
  second.note("other", pause);
  EXPECT_GT(first.take("other", {}, 0).value_or(milliseconds(0)), milliseconds(4'500));
  EXPECT_EQ(first.take("third", {}, 0), std::nullopt);
}

}  // namespace
}  // namespace coppice::engine
