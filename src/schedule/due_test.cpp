#include "schedule/due.h"

#include <gtest/gtest.h>

#include <vector>

#include "schedule/test_times.h"

namespace coppice::schedule {
namespace {

using Outcome = Attempt::Outcome;

const Calendar kDaily = *Calendar::parse("daily 02:30");
const std::int64_t kSince = utc(2026, 11, 1, 12);

NextRun next(const std::vector<Attempt>& newest_first, std::int64_t now_s) {
  return next_run(kDaily, Zone(), kSince, newest_first, now_s);
}

Attempt done(std::int64_t began_s) { return {began_s, began_s + 60, Outcome::kDone}; }
Attempt failed(std::int64_t began_s) { return {began_s, began_s + 60, Outcome::kFailed}; }
Attempt died(std::int64_t began_s) { return {began_s, std::nullopt, Outcome::kInterrupted}; }

TEST(NextRun, WaitsForItsFirstTime) {
  EXPECT_EQ(next({}, utc(2026, 11, 1, 13)).at_s, utc(2026, 11, 2, 2, 30));
  EXPECT_EQ(next({}, utc(2026, 11, 9)).at_s, utc(2026, 11, 2, 2, 30));  // long due
}

TEST(NextRun, IsTheNextTimeAfterTheLastRunBegan) {
  EXPECT_EQ(next({done(utc(2026, 11, 5, 2, 30))}, utc(2026, 11, 5, 9)).at_s,
            utc(2026, 11, 6, 2, 30));
  EXPECT_EQ(next({done(utc(2026, 11, 5, 2, 34, 59))}, utc(2026, 11, 5, 9)).at_s,
            utc(2026, 11, 6, 2, 30));
  // A run that took until after the next time is followed by that one.
  const Attempt slow{utc(2026, 11, 5, 2, 30), utc(2026, 11, 6, 3), Outcome::kDone};
  EXPECT_EQ(next({slow}, utc(2026, 11, 6, 3)).at_s, utc(2026, 11, 6, 2, 30));
}

TEST(NextRun, MakesUpOnceForAMachineThatSlept) {
  const std::int64_t now = utc(2026, 11, 25, 14);
  EXPECT_LE(next({done(utc(2026, 11, 5, 2, 30))}, now).at_s, now);
  EXPECT_EQ(next({done(now), done(utc(2026, 11, 5, 2, 30))}, now).at_s, utc(2026, 11, 26, 2, 30));
}

TEST(NextRun, ANewCalendarIsNotMadeUpFor) {
  const std::int64_t now = utc(2026, 11, 25, 14);
  const NextRun run = next_run(kDaily, Zone(), now, {}, now);
  EXPECT_EQ(run.at_s, utc(2026, 11, 26, 2, 30));
  const std::vector<Attempt> old = {done(utc(2026, 11, 1))};
  EXPECT_EQ(next_run(kDaily, Zone(), now, old, now).at_s, utc(2026, 11, 26, 2, 30));
}

TEST(NextRun, AFailureIsTriedAgainAfterAPauseThatDoubles) {
  std::vector<Attempt> attempts = {done(utc(2026, 11, 4, 2, 30))};
  std::int64_t pause_s = 5 * 60;
  for (int count = 1; count < 6; ++count, pause_s *= 2) {
    attempts.insert(attempts.begin(), failed(utc(2026, 11, 5, 2 + count, 30)));
    const NextRun run = next(attempts, utc(2026, 11, 5, 12));
    EXPECT_EQ(run.at_s, *attempts[0].ended_s + pause_s);
    EXPECT_TRUE(run.is_retry);
    EXPECT_EQ(run.failures_in_a_row, count);
  }
  attempts.insert(attempts.begin(), done(utc(2026, 11, 5, 12)));
  EXPECT_EQ(next(attempts, utc(2026, 11, 5, 13)).failures_in_a_row, 0);
  EXPECT_EQ(next(attempts, utc(2026, 11, 5, 13)).at_s, utc(2026, 11, 6, 2, 30));
}

TEST(NextRun, ATimeOfTheCalendarComesBeforeALongPause) {
  std::vector<Attempt> attempts;
  for (int day = 1; day <= 20; ++day)
    attempts.insert(attempts.begin(), failed(utc(2026, 11, 2 + day, 2, 30)));
  const NextRun run = next(attempts, utc(2026, 11, 22, 9));
  EXPECT_EQ(run.at_s, utc(2026, 11, 23, 2, 30));
  EXPECT_FALSE(run.is_retry);
  const Calendar yearly = *Calendar::parse("yearly");
  const NextRun retry = next_run(yearly, Zone(), kSince, attempts, utc(2026, 11, 22, 9));
  EXPECT_EQ(retry.at_s, *attempts[0].ended_s + kLongestPauseS);
}

TEST(NextRun, WhatDiedIsTriedAtOnceAndThenAfterPauses) {
  const std::int64_t began = utc(2026, 11, 5, 2, 30);
  EXPECT_EQ(next({died(began)}, began + 10).at_s, began);
  EXPECT_EQ(next({died(began + 10), died(began)}, began + 20).at_s, began + 10 + 5 * 60);
}

TEST(NextRun, ARunOfAWrongClockDoesNotCount) {
  const Attempt wrong = done(utc(2031, 1, 1));
  const std::int64_t now = utc(2026, 11, 6, 3);
  EXPECT_EQ(next({wrong, done(utc(2026, 11, 5, 2, 30))}, now).at_s, utc(2026, 11, 6, 2, 30));
  EXPECT_EQ(next({wrong}, now).at_s, utc(2026, 11, 2, 2, 30));
}

TEST(NextRun, AClockThatIsPutBackALittleRunsNothingTwice) {
  const std::int64_t now = utc(2026, 11, 6, 2, 0);
  EXPECT_EQ(next({done(utc(2026, 11, 6, 2, 30)), done(utc(2026, 11, 5, 2, 30))}, now).at_s,
            utc(2026, 11, 7, 2, 30));
}

TEST(NextRun, ACalendarOfTheFutureCountsFromNow) {
  const std::int64_t now = utc(2026, 10, 1, 12);  // before kSince
  EXPECT_EQ(next({}, now).at_s, utc(2026, 10, 2, 2, 30));
}

}  // namespace
}  // namespace coppice::schedule
