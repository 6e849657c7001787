#include "schedule/calendar.h"

#include <gtest/gtest.h>

#include <vector>

#include "schedule/test_times.h"
#include "schedule/zone_rule.h"

namespace coppice::schedule {
namespace {

constexpr std::int64_t kDayS = 86'400;

Calendar calendar(std::string_view text) {
  const auto parsed = Calendar::parse(text);
  EXPECT_TRUE(parsed) << text;
  return parsed.value_or(Calendar());
}

using Times = std::vector<std::int64_t>;

Times next(std::string_view text, std::int64_t after_s, int count, const Zone& zone = {}) {
  const Calendar when = calendar(text);
  Times times;
  for (int i = 0; i < count; ++i) times.push_back(after_s = when.next_s(after_s, zone));
  return times;
}

Zone berlin() {
  // A file of version 2 with no change of its own; all is in the rule.
  const std::string counts = std::string(15, '\0') + std::string(12, '\0') + std::string(4, '\0');
  const std::string body = std::string("\0\0\0\1", 4) + std::string("\0\0\0\1", 4);
  const std::string header = "TZif2" + counts + body;
  const std::string data = std::string("\0\0\0\0\0\0", 6) + std::string(1, '\0');
  return Zone::parse(header + data + header + data + "\nCET-1CEST,M3.5.0,M10.5.0/3\n", "berlin");
}

TEST(Calendar, APeriodIsAtFullOnes) {
  EXPECT_EQ(next("1 hour", utc(2026, 11, 22, 10, 7), 2),
            (Times{utc(2026, 11, 22, 11), utc(2026, 11, 22, 12)}));
  EXPECT_EQ(next("15 minutes", utc(2026, 11, 22, 10, 15), 1), Times{utc(2026, 11, 22, 10, 30)});
  EXPECT_EQ(next("2 days", utc(2001, 1, 1), 2), (Times{utc(2001, 1, 3), utc(2001, 1, 5)}));
  EXPECT_EQ(next("1 week", utc(2026, 11, 22), 1), Times{utc(2026, 11, 23)});  // a Monday
  EXPECT_EQ(next("1 hour", utc(1969, 12, 31, 23, 30), 1), Times{utc(1970, 1, 1)});
}

TEST(Calendar, HoursDaysAndWeeks) {
  EXPECT_EQ(next("hourly", utc(2026, 11, 22, 10), 1), Times{utc(2026, 11, 22, 11)});
  EXPECT_EQ(next("hourly :15", utc(2026, 11, 22, 10, 14, 59), 2),
            (Times{utc(2026, 11, 22, 10, 15), utc(2026, 11, 22, 11, 15)}));
  EXPECT_EQ(next("daily", utc(2026, 2, 28, 12), 1), Times{utc(2026, 3, 1)});
  EXPECT_EQ(next("daily 02:30", utc(2026, 12, 31, 2, 30), 1), Times{utc(2027, 1, 1, 2, 30)});
  EXPECT_EQ(next("daily 2:30", utc(2026, 12, 31, 2, 29, 59), 1), Times{utc(2026, 12, 31, 2, 30)});
  EXPECT_EQ(next("weekly", utc(2026, 11, 22), 1), Times{utc(2026, 11, 23)});
  EXPECT_EQ(next("weekly sun 03:00", utc(2026, 11, 22, 2), 2),
            (Times{utc(2026, 11, 22, 3), utc(2026, 11, 29, 3)}));
  EXPECT_EQ(next("Weekly  Sunday", utc(2026, 11, 22), 1), Times{utc(2026, 11, 29)});
}

TEST(Calendar, AMonthThatLacksTheDayHasItsLast) {
  EXPECT_EQ(
      next("monthly 31 04:00", utc(2027, 1, 1), 4),
      (Times{utc(2027, 1, 31, 4), utc(2027, 2, 28, 4), utc(2027, 3, 31, 4), utc(2027, 4, 30, 4)}));
  EXPECT_EQ(next("monthly last", utc(2028, 2, 1), 2), (Times{utc(2028, 2, 29), utc(2028, 3, 31)}));
  EXPECT_EQ(next("monthly", utc(2026, 12, 1), 1), Times{utc(2027, 1, 1)});
  EXPECT_EQ(next("monthly 15", utc(2026, 12, 14, 23, 59, 59), 1), Times{utc(2026, 12, 15)});
}

TEST(Calendar, QuartersAndYears) {
  EXPECT_EQ(next("quarterly", utc(2026, 11, 22), 5),
            (Times{utc(2027, 1, 1), utc(2027, 4, 1), utc(2027, 7, 1), utc(2027, 10, 1),
                   utc(2028, 1, 1)}));
  EXPECT_EQ(next("quarterly 15 05:00", utc(2027, 1, 14), 2),
            (Times{utc(2027, 1, 15, 5), utc(2027, 4, 15, 5)}));
  EXPECT_EQ(next("quarterly 02:30", utc(2027, 1, 14), 1), Times{utc(2027, 4, 1, 2, 30)});
  EXPECT_EQ(next("yearly", utc(2026, 11, 22), 1), Times{utc(2027, 1, 1)});
  EXPECT_EQ(next("yearly 03-31 05:00", utc(2026, 11, 22), 2),
            (Times{utc(2027, 3, 31, 5), utc(2028, 3, 31, 5)}));
  EXPECT_EQ(next("yearly 02-29", utc(2026, 11, 22), 2),
            (Times{utc(2027, 2, 28), utc(2028, 2, 29)}));
}

TEST(Calendar, EveryDayHasOneWhenClocksAreChanged) {
  const Zone zone = berlin();
  EXPECT_EQ(next("daily 02:30", utc(2026, 3, 27, 12), 4, zone),
            (Times{utc(2026, 3, 28, 1, 30), utc(2026, 3, 29, 1, 30), utc(2026, 3, 30, 0, 30),
                   utc(2026, 3, 31, 0, 30)}));
  EXPECT_EQ(next("daily 02:30", utc(2026, 10, 24, 12), 2, zone),
            (Times{utc(2026, 10, 25, 0, 30), utc(2026, 10, 26, 1, 30)}));
  std::int64_t time_s = utc(2020, 1, 1);
  for (int day = 0; day < 3'660; ++day) {
    const std::int64_t after_s = calendar("daily 02:30").next_s(time_s, zone);
    ASSERT_NE(after_s, time_s);
    ASSERT_NEAR(static_cast<double>(after_s - time_s), kDayS, day == 0 ? kDayS : 3'600);
    time_s = after_s;
  }
}

TEST(Calendar, AnHourThatIsShownTwiceIsTwo) {
  EXPECT_EQ(next("hourly", utc(2026, 10, 24, 23, 30), 3, berlin()),
            (Times{utc(2026, 10, 25, 0), utc(2026, 10, 25, 1), utc(2026, 10, 25, 2)}));
  EXPECT_EQ(next("hourly :15", utc(2026, 3, 29, 0, 30), 2, berlin()),
            (Times{utc(2026, 3, 29, 1, 15), utc(2026, 3, 29, 2, 15)}));
}

TEST(Calendar, ADayOfTheWallIsNotOneOfUtc) {
  EXPECT_EQ(next("daily", utc(2026, 1, 10, 12), 1, berlin()), Times{utc(2026, 1, 10, 23)});
  EXPECT_EQ(next("monthly", utc(2026, 6, 10), 1, berlin()), Times{utc(2026, 6, 30, 22)});
}

TEST(Calendar, NextIsAfterAndNothingIsBetween) {
  const Zone zone = berlin();
  for (const char* text :
       {"7 minutes", "5 hours", "3 days", "hourly :59", "daily 23:59", "weekly wed 12:00",
        "monthly 30", "quarterly last 23:00", "yearly 12-31 23:59"}) {
    const Calendar when = calendar(text);
    for (std::int64_t at_s = utc(2026, 1, 1); at_s < utc(2027, 4, 1); at_s += 40'000) {
      const std::int64_t next_s = when.next_s(at_s, zone);
      ASSERT_GT(next_s, at_s) << text;
      ASSERT_EQ(when.next_s(next_s - 1, zone), next_s) << text;
      ASSERT_EQ(when.next_s((at_s + next_s) / 2, zone), next_s) << text;
    }
  }
}

TEST(Calendar, RefusesWhatItDoesNotKnow) {
  for (const char* text : {"",
                           " ",
                           "sometimes",
                           "0 hours",
                           "-1 hour",
                           "1",
                           "hour",
                           "1 fortnight",
                           "1.5 hours",
                           "123456 minutes",
                           "daily 24:00",
                           "daily 02:60",
                           "daily 2:3",
                           "daily 02:30 02:30",
                           "daily sun",
                           "weekly 5",
                           "weekly sun mon",
                           "weekly 03:00 sun",
                           "monthly 0",
                           "monthly 32",
                           "monthly 1 2",
                           "quarterly 04-01",
                           "yearly 13-01",
                           "yearly 02-30",
                           "yearly 5",
                           "yearly last",
                           "hourly 15",
                           "hourly :60",
                           "hourly :5",
                           "hourly 02:30",
                           "daily 02:30 utc",
                           "1 hour 02:30",
                           "daily +2:30",
                           "1 hours hours"}) {
    EXPECT_FALSE(Calendar::parse(text)) << text;
  }
}

}  // namespace
}  // namespace coppice::schedule
