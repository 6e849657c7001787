// Due: when a task is to be run next, by its calendar and what became of it before.
//
// Model    A time that was missed, by a machine that slept or was off, is made up for once, however
//          many there were. A run that failed is tried again after a pause that doubles with every
//          failure in a row; one that died with its process at once, and then likewise. Runs that
//          lie more than an hour ahead are of a clock that was wrong, and do not count.
// Units    Seconds since 1970-01-01 00:00 UTC.
// Threads  Pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "schedule/calendar.h"

namespace coppice::schedule {

struct Attempt {
  enum class Outcome { kDone, kFailed, kInterrupted };
  std::int64_t began_s = 0;
  std::optional<std::int64_t> ended_s;
  Outcome outcome = Outcome::kDone;
};

inline constexpr std::int64_t kFirstPauseS = 5 * 60;
inline constexpr std::int64_t kLongestPauseS = 24 * 60 * 60;
inline constexpr std::int64_t kClockSlackS = 60 * 60;

struct NextRun {
  std::int64_t at_s = 0;  // due when this is not after now
  bool is_retry = false;  // of what failed; else by the calendar
  int failures_in_a_row = 0;
};

// `since_s`: when the task's calendar became what it is; times before that are not made up for.
// `newest_first`: its runs.
NextRun next_run(const Calendar& calendar, const Zone& zone, std::int64_t since_s,
                 std::span<const Attempt> newest_first, std::int64_t now_s);

}  // namespace coppice::schedule
