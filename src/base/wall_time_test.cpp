#include "base/wall_time.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/error.h"

namespace coppice {
namespace {

// Sets a variable, or takes it away, until the end of the test.
class Variable {
 public:
  Variable(const char* name, const char* value) : name_(name) {
    if (const char* old = std::getenv(name)) old_ = old;
    value == nullptr ? ::unsetenv(name) : ::setenv(name, value, 1);
  }
  ~Variable() { old_ ? ::setenv(name_, old_->c_str(), 1) : ::unsetenv(name_); }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  const char* name_;
  std::optional<std::string> old_;
};

bool is_now(std::int64_t time_us) {
  constexpr std::int64_t kMinuteUs = 60'000'000;
  const std::int64_t away_us = SystemClock().now_us() - time_us;
  return away_us >= 0 && away_us < kMinuteUs;
}

TEST(WallTime, IsTheSystems) {
  const Variable test("COPPICE_TEST", "1");
  const Variable now("COPPICE_NOW", nullptr);
  EXPECT_TRUE(is_now(wall_time_us()));
  EXPECT_FALSE(test_wall_time_us());
}

TEST(WallTime, IsThatOfATestInTests) {
  const Variable test("COPPICE_TEST", "1");
  const Variable now("COPPICE_NOW", "1800000000");
  EXPECT_EQ(wall_time_us(), 1'800'000'000'000'000);
}

TEST(WallTime, CannotBeSetOutsideOfTests) {
  const Variable test("COPPICE_TEST", nullptr);
  const Variable now("COPPICE_NOW", "1800000000");
  EXPECT_TRUE(is_now(wall_time_us()));
}

TEST(WallTime, IsANumber) {
  const Variable test("COPPICE_TEST", "1");
  const Variable now("COPPICE_NOW", "tomorrow");
  EXPECT_THROW(wall_time_us(), Error);
}

}  // namespace
}  // namespace coppice
