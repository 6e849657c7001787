// Limits, what is learned of them, and circuit breakers, by a clock of the test's own.
#include <gtest/gtest.h>

#include "services/circuit_breaker.h"
#include "services/local_limits.h"
#include "services/rate_headers.h"

namespace coppice::services {
namespace {

using std::chrono::milliseconds;

class TestClock final : public Clock {
 public:
  std::int64_t now_us() const override { return now_us_; }
  void sleep(milliseconds duration) const override { now_us_ += duration.count() * 1000; }

 private:
  mutable std::int64_t now_us_ = 1'700'000'000'000'000;
};

// Takes as soon as it may; milliseconds until `count` were taken.
std::int64_t time_for(SharedLimits& limits, const Clock& clock, const RateLimits& rate, int count,
                      double tokens) {
  const std::int64_t begun_us = clock.now_us();
  for (int i = 0; i < count; ++i) {
    while (const auto wait = limits.take("m", rate, tokens)) clock.sleep(*wait);
    limits.give_back("m", 0);
  }
  return (clock.now_us() - begun_us) / 1000;
}

TEST(LocalLimits, RequestsGoEvenly) {
  TestClock clock;
  LocalLimits limits(clock);
  // 600 a minute are 10 a second, of which a second's worth may go at once.
  EXPECT_NEAR(static_cast<double>(time_for(limits, clock, {600, 0, 0}, 110, 0)), 10'000, 120);
  EXPECT_NEAR(static_cast<double>(time_for(limits, clock, {600, 0, 0}, 50, 0)), 5'000, 120);
  EXPECT_EQ(time_for(limits, clock, {}, 1000, 1e6), 0);
}

TEST(LocalLimits, TokensGoEvenlyAndMayBeOwed) {
  TestClock clock;
  LocalLimits limits(clock);
  // 60,000 a minute are 1,000 a second; a call of 5,000 goes, and the next waits until it is paid.
  EXPECT_NEAR(static_cast<double>(time_for(limits, clock, {0, 60'000, 0}, 11, 5'000)), 49'000, 200);
  // A call that cost less than was thought gives the rest back.
  clock.sleep(milliseconds(60'000));
  EXPECT_EQ(limits.take("m", {0, 60'000, 0}, 5'000), std::nullopt);
  EXPECT_NE(limits.take("m", {0, 60'000, 0}, 1), std::nullopt);
  limits.give_back("m", -4'500);
  EXPECT_EQ(limits.take("m", {0, 60'000, 0}, 1), std::nullopt);
}

TEST(LocalLimits, SlotsAreCountedPerModel) {
  TestClock clock;
  LocalLimits limits(clock);
  EXPECT_EQ(limits.take("m", {0, 0, 2}, 0), std::nullopt);
  EXPECT_EQ(limits.take("m", {0, 0, 2}, 0), std::nullopt);
  EXPECT_NE(limits.take("m", {0, 0, 2}, 0), std::nullopt);
  EXPECT_EQ(limits.take("other", {0, 0, 2}, 0), std::nullopt);
  limits.give_back("m", 0);
  EXPECT_EQ(limits.take("m", {0, 0, 2}, 0), std::nullopt);
}

TEST(LocalLimits, TheSmallerOfConfiguredAndLearnedHolds) {
  TestClock clock;
  LocalLimits limits(clock);
  LearnedLimits learned;
  learned.requests_per_minute = 60;
  limits.note("m", learned);
  EXPECT_NEAR(static_cast<double>(time_for(limits, clock, {6000, 0, 0}, 11, 0)), 10'000, 100);
  learned.requests_per_minute = 6000;
  limits.note("m", learned);
  EXPECT_NEAR(static_cast<double>(time_for(limits, clock, {60, 0, 0}, 11, 0)), 10'000, 1100);
}

TEST(LocalLimits, APauseHoldsExactlyAndForOneModelOnly) {
  TestClock clock;
  LocalLimits limits(clock);
  LearnedLimits learned;
  learned.pause = milliseconds(2'500);
  limits.note("m", learned);
  EXPECT_EQ(limits.take("m", {}, 0), milliseconds(2'500));
  EXPECT_EQ(limits.take("other", {}, 0), std::nullopt);
  clock.sleep(milliseconds(2'499));
  EXPECT_EQ(limits.take("m", {}, 0), milliseconds(1));
  clock.sleep(milliseconds(1));
  EXPECT_EQ(limits.take("m", {}, 0), std::nullopt);
}

HttpResponse with_headers(std::multimap<std::string, std::string> headers) {
  HttpResponse response;
  response.headers = std::move(headers);
  return response;
}

TEST(LearnedLimits, OfOpenAi) {
  const LearnedLimits learned =
      learned_limits(with_headers({{"x-ratelimit-limit-requests", "5000"},
                                   {"x-ratelimit-limit-tokens", "160000"},
                                   {"x-ratelimit-remaining-requests", "4999"},
                                   {"x-ratelimit-remaining-tokens", "0"},
                                   {"x-ratelimit-reset-requests", "12ms"},
                                   {"x-ratelimit-reset-tokens", "6m0s"}}),
                     0);
  EXPECT_EQ(learned.requests_per_minute, 5000);
  EXPECT_EQ(learned.tokens_per_minute, 160000);
  EXPECT_EQ(learned.pause, milliseconds(360'000));
}

TEST(LearnedLimits, OfAnthropic) {
  const LearnedLimits learned =
      learned_limits(with_headers({{"anthropic-ratelimit-requests-limit", "50"},
                                   {"anthropic-ratelimit-requests-remaining", "0"},
                                   {"anthropic-ratelimit-requests-reset", "1994-11-06T08:49:40Z"},
                                   {"anthropic-ratelimit-tokens-limit", "48000"},
                                   {"anthropic-ratelimit-input-tokens-limit", "40000"}}),
                     784'111'777'000'000);
  EXPECT_EQ(learned.requests_per_minute, 50);
  EXPECT_EQ(learned.tokens_per_minute, 40000);
  EXPECT_EQ(learned.pause, milliseconds(3'000));
}

TEST(LearnedLimits, NonsenseTeachesNothing) {
  EXPECT_TRUE(learned_limits(with_headers({}), 0).empty());
  EXPECT_TRUE(learned_limits(with_headers({{"x-ratelimit-limit-requests", "many"},
                                           {"x-ratelimit-limit-tokens", "-5"},
                                           {"x-ratelimit-remaining-tokens", "0"},
                                           {"x-ratelimit-reset-tokens", "later"}}),
                             0)
                  .empty());
  EXPECT_TRUE(learned_limits(with_headers({{"x-ratelimit-limit-requests", "0"}}), 0).empty());
  EXPECT_EQ(parse_go_duration("1h2m3.5s"), milliseconds(3'723'500));
  for (const char* const text : {"", "s", "5", "1x", "-1s", "1e99h"}) {
    EXPECT_EQ(parse_go_duration(text), std::nullopt) << text;
  }
}

TEST(CircuitBreaker, OpensAfterFailuresInARowOverSomeTime) {
  TestClock clock;
  CircuitBreaker breaker({4, milliseconds(1'000), milliseconds(5'000)}, clock);
  for (int i = 0; i < 100; ++i) breaker.failed("refused");  // a blip with many calls in flight
  EXPECT_EQ(breaker.refusal(), std::nullopt);
  breaker.succeeded();
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(breaker.refusal(), std::nullopt);
    breaker.failed("connection refused");
    clock.sleep(milliseconds(400));
  }
  const auto refusal = breaker.refusal();
  ASSERT_TRUE(refusal);
  EXPECT_NE(refusal->find("connection refused"), std::string::npos) << *refusal;
  EXPECT_NE(refusal->find("since 22:13:20 UTC"), std::string::npos) << *refusal;
  clock.sleep(milliseconds(5'000));
  EXPECT_EQ(breaker.refusal(), std::nullopt);  // the probe
  EXPECT_TRUE(breaker.refusal());              // and nobody beside it
  breaker.failed("still refused");
  EXPECT_TRUE(breaker.refusal());
  clock.sleep(milliseconds(5'000));
  EXPECT_EQ(breaker.refusal(), std::nullopt);
  breaker.abandoned();
  EXPECT_EQ(breaker.refusal(), std::nullopt);  // another probe
  breaker.succeeded();
  EXPECT_EQ(breaker.refusal(), std::nullopt);
  EXPECT_EQ(breaker.refusal(), std::nullopt);
}

}  // namespace
}  // namespace coppice::services
