#include "base/duration.h"

#include <gtest/gtest.h>

namespace coppice {
namespace {

constexpr std::int64_t kSecond = 1'000'000;

TEST(Duration, IsANumberAndAUnit) {
  EXPECT_EQ(duration_us("1 second"), kSecond);
  EXPECT_EQ(duration_us("10 minutes"), 600 * kSecond);
  EXPECT_EQ(duration_us("  12 hours "), 12 * 3600 * kSecond);
  EXPECT_EQ(duration_us("90days"), 90 * 86400 * kSecond);
  EXPECT_EQ(duration_us("2 Weeks"), 14 * 86400 * kSecond);
  EXPECT_EQ(duration_us("6 months"), 180 * 86400 * kSecond);
  EXPECT_EQ(duration_us("10000 years"), 10000 * 365LL * 86400 * kSecond);
}

TEST(Duration, IsNothingElse) {
  for (const char* bad : {"", "10", "days", "0 days", "-1 days", "1.5 hours", "1 fortnight",
                          "1 day 2 hours", "10001 years", "99999999999999999999 days"}) {
    EXPECT_EQ(duration_us(bad), std::nullopt) << bad;
  }
}

}  // namespace
}  // namespace coppice
