#include "schedule/calendar.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <string>
#include <vector>

#include "base/text.h"

namespace coppice::schedule {
namespace {

using std::chrono::days;
using std::chrono::sys_days;

constexpr std::int64_t kHourS = 3'600;
constexpr std::int64_t kDayS = 86'400;
constexpr std::int64_t kOriginS = 978'307'200;  // Monday, 2001-01-01 00:00 UTC
constexpr std::int64_t kMondayS = -3 * kDayS;   // the one before 1970-01-01
constexpr int kLastDay = 32;

std::int64_t floor_divide(std::int64_t value, std::int64_t by) {
  return value / by - (value % by < 0 ? 1 : 0);
}

// Digits alone, so many at most.
std::optional<int> number_in(std::string_view text, std::size_t most_digits) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool all = error == std::errc() && end == text.data() + text.size();
  if (!all || text.size() > most_digits || value < 0) return std::nullopt;
  return value;
}

std::optional<std::int64_t> period_in(std::string_view number, std::string_view unit) {
  constexpr int kMostDigits = 5;
  const std::optional<int> count = number_in(number, kMostDigits);
  if (unit.ends_with('s')) unit.remove_suffix(1);
  std::int64_t unit_s = 0;
  if (unit == "minute") unit_s = 60;
  if (unit == "hour") unit_s = kHourS;
  if (unit == "day") unit_s = kDayS;
  if (unit == "week") unit_s = 7 * kDayS;
  if (!count || *count == 0 || unit_s == 0) return std::nullopt;
  return *count * unit_s;
}

// "02:30"
std::optional<std::int64_t> time_of_day_in(std::string_view word) {
  const std::size_t colon = word.find(':');
  if (colon == std::string_view::npos || word.size() - colon != 3) return std::nullopt;
  const std::optional<int> hours = number_in(word.substr(0, colon), 2);
  const std::optional<int> minutes = number_in(word.substr(colon + 1), 2);
  if (!hours || !minutes || *hours > 23 || *minutes > 59) return std::nullopt;
  return *hours * kHourS + *minutes * 60;
}

// From Monday; also by its first three letters.
std::optional<int> weekday_in(std::string_view word) {
  constexpr std::string_view kNames[] = {"monday", "tuesday",  "wednesday", "thursday",
                                         "friday", "saturday", "sunday"};
  for (int i = 0; i < 7; ++i) {
    if (word == kNames[i] || word == kNames[i].substr(0, 3)) return i;
  }
  return std::nullopt;
}

std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words = split(lower(trim(text)), ' ');
  words.erase(std::remove(words.begin(), words.end(), ""), words.end());
  return words;
}

}  // namespace

std::optional<Calendar> Calendar::parse(std::string_view text) {
  const std::vector<std::string> words = words_of(text);
  if (words.empty()) return std::nullopt;
  Calendar calendar;
  if (words.size() == 2) {
    if (const auto period_s = period_in(words[0], words[1])) {
      calendar.unit_ = Unit::kPeriod;
      calendar.period_s_ = *period_s;
      return calendar;
    }
  }
  if (words[0] == "hourly") {
    calendar.unit_ = Unit::kHour;
  } else if (words[0] == "daily") {
    calendar.unit_ = Unit::kDay;
  } else if (words[0] == "weekly") {
    calendar.unit_ = Unit::kWeek;
  } else if (words[0] == "monthly" || words[0] == "quarterly" || words[0] == "yearly") {
    calendar.unit_ = Unit::kMonths;
    calendar.months_ = words[0] == "monthly" ? 1 : words[0] == "quarterly" ? 3 : 12;
  } else {
    return std::nullopt;
  }
  for (std::size_t i = 1; i < words.size(); ++i) {
    if (!calendar.take_detail(words[i])) return std::nullopt;
  }
  return calendar;
}

// A day comes before the time, and each is there once.
bool Calendar::take_detail(std::string_view word) {
  if (has_time_) return false;
  if (unit_ == Unit::kHour) {
    const std::optional<int> minute =
        word.size() == 3 && word[0] == ':' ? number_in(word.substr(1), 2) : std::nullopt;
    if (!minute || *minute > 59) return false;
    second_of_day_ = *minute * 60;
    has_time_ = true;
    return true;
  }
  if (const auto time = time_of_day_in(word)) {
    second_of_day_ = *time;
    has_time_ = true;
    return true;
  }
  if (has_day_) return false;
  has_day_ = true;
  return take_day(word);
}

bool Calendar::take_day(std::string_view word) {
  if (unit_ == Unit::kWeek) {
    const std::optional<int> weekday = weekday_in(word);
    weekday_ = weekday.value_or(0);
    return weekday.has_value();
  }
  if (unit_ != Unit::kMonths) return false;
  if (word == "last" && months_ < 12) {
    day_ = kLastDay;
    return true;
  }
  std::string_view day = word;
  if (months_ == 12) {  // "03-31"
    const std::size_t dash = word.find('-');
    if (dash == std::string_view::npos) return false;
    const std::optional<int> month = number_in(word.substr(0, dash), 2);
    if (!month || *month < 1 || *month > 12) return false;
    month_ = *month - 1;
    day = word.substr(dash + 1);
  }
  const std::optional<int> number = number_in(day, 2);
  if (!number || *number < 1 || *number > 31) return false;
  day_ = *number;
  if (months_ != 12) return true;
  // 02-29 is the 28th in other years; 02-30 is never.
  const std::chrono::month month(static_cast<unsigned>(month_ + 1));
  return std::chrono::month_day(month, std::chrono::day(static_cast<unsigned>(day_))).ok();
}

// About which one it is then.
std::int64_t Calendar::index_at(std::int64_t local_s) const {
  switch (unit_) {
    case Unit::kPeriod:
      return floor_divide(local_s - kOriginS, period_s_);
    case Unit::kHour:
      return floor_divide(local_s, kHourS);
    case Unit::kDay:
      return floor_divide(local_s, kDayS);
    case Unit::kWeek:
      return floor_divide(local_s - kMondayS, 7 * kDayS);
    case Unit::kMonths:
      break;
  }
  const std::chrono::year_month_day date(sys_days(days(floor_divide(local_s, kDayS))));
  const std::int64_t month = (static_cast<int>(date.year()) - 1970) * 12 +
                             static_cast<int>(static_cast<unsigned>(date.month())) - 1;
  return floor_divide(month, months_);
}

std::int64_t Calendar::time_s(std::int64_t index, const Zone& zone) const {
  if (unit_ == Unit::kPeriod) return kOriginS + index * period_s_;
  if (unit_ == Unit::kDay) return zone.utc_s(index * kDayS + second_of_day_);
  if (unit_ == Unit::kWeek) {
    return zone.utc_s(kMondayS + (index * 7 + weekday_) * kDayS + second_of_day_);
  }
  const std::int64_t month_index = index * months_ + month_;
  const std::chrono::year year(static_cast<int>(1970 + floor_divide(month_index, 12)));
  const std::chrono::month month(
      static_cast<unsigned>(month_index - floor_divide(month_index, 12) * 12 + 1));
  const sys_days last(year / month / std::chrono::last);
  const sys_days day = sys_days(year / month / 1) + days(day_ - 1);
  const std::int64_t day_number = std::min(day, last).time_since_epoch().count();
  return zone.utc_s(day_number * kDayS + second_of_day_);
}

// An hour that the wall shows twice is two.
std::int64_t Calendar::next_hour_s(std::int64_t time_s, const Zone& zone) const {
  const std::int64_t offset_s = zone.offset_s(time_s);
  const std::int64_t hour = floor_divide(time_s + offset_s - second_of_day_, kHourS);
  return (hour + 1) * kHourS + second_of_day_ - offset_s;
}

std::int64_t Calendar::next_s(std::int64_t after_s, const Zone& zone) const {
  if (unit_ == Unit::kHour) return next_hour_s(after_s, zone);
  const std::int64_t about = index_at(unit_ == Unit::kPeriod ? after_s : zone.local_s(after_s)) - 2;
  for (std::int64_t index = about;; ++index) {
    const std::int64_t time = time_s(index, zone);
    if (time > after_s) return time;
  }
}

}  // namespace coppice::schedule
