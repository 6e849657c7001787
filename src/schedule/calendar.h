// Calendar: the times at which something is due, from a word as people write it.
//
// Model    "30 minutes", "1 hour", "6 hours", "2 days", "2 weeks": a period, counted from Monday,
//          2001-01-01 00:00 UTC, so that "1 hour" is at every full one.
//          "hourly", "hourly :15", "daily", "daily 02:30", "weekly", "weekly sun 03:00", "monthly",
//          "monthly 15 04:00", "monthly last", "quarterly", "quarterly 1 04:00", "yearly",
//          "yearly 03-31 05:00": by the wall's clock. Without more they are at 00:00, on Monday, on
//          the first. A day that a month lacks is its last one.
// Units    Seconds since 1970-01-01 00:00 UTC.
// Threads  Constant once made; pure functions of what they are given.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "schedule/zone.h"

namespace coppice::schedule {

// How they are written, for messages.
inline constexpr std::string_view kCalendarWords =
    "a period ('30 minutes', '6 hours', '2 days') or hourly, daily, weekly, monthly, quarterly or "
    "yearly, with a time: 'daily 02:30', 'weekly sun 03:00', 'monthly 15 04:00', 'yearly 03-31'";

class Calendar {
 public:
  // nullopt for anything else.
  static std::optional<Calendar> parse(std::string_view text);

  // The first time after `time_s`.
  std::int64_t next_s(std::int64_t time_s, const Zone& zone) const;

 private:
  enum class Unit { kPeriod, kHour, kDay, kWeek, kMonths };

  bool take_detail(std::string_view word);
  bool take_day(std::string_view word);
  std::int64_t index_at(std::int64_t local_s) const;
  std::int64_t time_s(std::int64_t index, const Zone& zone) const;
  std::int64_t next_hour_s(std::int64_t time_s, const Zone& zone) const;

  Unit unit_ = Unit::kDay;
  std::int64_t period_s_ = 0;
  int months_ = 1;                  // in a period of them: 1, 3, 12
  int month_ = 0;                   // within the period, from 0
  int day_ = 1;                     // of the month; 32: the last
  int weekday_ = 0;                 // from Monday
  std::int64_t second_of_day_ = 0;  // kHour: of the hour
  bool has_day_ = false, has_time_ = false;
};

}  // namespace coppice::schedule
