#include "schedule/zone_rule.h"

#include <chrono>

namespace coppice::schedule {
namespace {

using std::chrono::days;
using std::chrono::seconds;
using std::chrono::sys_days;
using std::chrono::sys_seconds;
using std::chrono::year;

// Takes a rule apart from its beginning; a step that finds something else says false.
class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text) {}

  bool at_end() const { return rest_.empty(); }
  char next() const { return rest_.empty() ? '\0' : rest_.front(); }
  bool take(char letter) {
    if (next() != letter) return false;
    rest_.remove_prefix(1);
    return true;
  }
  // "CET", "<+0330>"
  bool name() {
    if (take('<')) {
      const std::size_t end = rest_.find('>');
      if (end == std::string_view::npos) return false;
      rest_.remove_prefix(end + 1);
      return true;
    }
    std::size_t letters = 0;
    while (letters < rest_.size() && ((rest_[letters] >= 'a' && rest_[letters] <= 'z') ||
                                      (rest_[letters] >= 'A' && rest_[letters] <= 'Z'))) {
      ++letters;
    }
    rest_.remove_prefix(letters);
    return letters >= 3;
  }
  bool number(int& value) {
    std::size_t digits = 0;
    value = 0;
    while (digits < 3 && digits < rest_.size() && rest_[digits] >= '0' && rest_[digits] <= '9') {
      value = value * 10 + (rest_[digits++] - '0');
    }
    rest_.remove_prefix(digits);
    return digits > 0;
  }
  // "2", "-1", "5:30", "02:00:00"
  bool time(std::int64_t& value_s) {
    const bool negative = take('-');
    if (!negative) take('+');
    int part = 0;
    if (!number(part) || part > 167) return false;
    value_s = std::int64_t{part} * 3600;
    for (const int unit_s : {60, 1}) {
      if (!take(':')) break;
      if (!number(part) || part > 59) return false;
      value_s += std::int64_t{part} * unit_s;
    }
    if (negative) value_s = -value_s;
    return true;
  }
  bool change(ZoneChange& change) {
    if (take('M')) {
      change.kind = ZoneChange::Kind::kMonthWeekDay;
      const bool read = number(change.month) && take('.') && number(change.week) && take('.') &&
                        number(change.day);
      if (!read || change.month < 1 || change.month > 12 || change.week < 1 || change.week > 5 ||
          change.day > 6) {
        return false;
      }
    } else {
      const bool without_leap = take('J');
      change.kind = without_leap ? ZoneChange::Kind::kDayWithoutLeap : ZoneChange::Kind::kDay;
      if (!number(change.day) || change.day > 365 || (without_leap && change.day < 1)) return false;
    }
    return !take('/') || time(change.second_of_day);
  }

 private:
  std::string_view rest_;
};

// What the wall shows at that moment, before the change.
std::int64_t local_time_s(const ZoneChange& change, year in_year) {
  using std::chrono::January;
  sys_days day = in_year / January / 1;
  switch (change.kind) {
    case ZoneChange::Kind::kMonthWeekDay: {
      const auto month = in_year / std::chrono::month(static_cast<unsigned>(change.month));
      const std::chrono::weekday weekday(static_cast<unsigned>(change.day));
      day = change.week == 5 ? sys_days(month / weekday[std::chrono::last])
                             : sys_days(month / weekday[static_cast<unsigned>(change.week)]);
      break;
    }
    case ZoneChange::Kind::kDayWithoutLeap:
      day += days(change.day - 1 + (in_year.is_leap() && change.day >= 60 ? 1 : 0));
      break;
    case ZoneChange::Kind::kDay:
      day += days(change.day);
      break;
  }
  return sys_seconds(day).time_since_epoch().count() + change.second_of_day;
}

}  // namespace

std::int64_t ZoneRule::offset_s(std::int64_t utc_s) const {
  if (!summer_s) return standard_s;
  const auto day = std::chrono::floor<days>(sys_seconds(seconds(utc_s + standard_s)));
  const year in_year = std::chrono::year_month_day(day).year();
  const std::int64_t begin_s = local_time_s(begin, in_year) - standard_s;
  const std::int64_t end_s = local_time_s(end, in_year) - *summer_s;
  // In the south a year begins and ends in summer.
  const bool summer =
      begin_s < end_s ? begin_s <= utc_s && utc_s < end_s : utc_s < end_s || begin_s <= utc_s;
  return summer ? *summer_s : standard_s;
}

std::optional<ZoneRule> parse_zone_rule(std::string_view text) {
  Reader reader(text);
  ZoneRule rule;
  std::int64_t west_s = 0;
  if (!reader.name() || !reader.time(west_s)) return std::nullopt;
  rule.standard_s = -west_s;
  if (reader.at_end()) return rule;
  if (!reader.name()) return std::nullopt;
  rule.summer_s = rule.standard_s + 3600;
  if (reader.next() != ',') {
    if (!reader.time(west_s)) return std::nullopt;
    rule.summer_s = -west_s;
  }
  const bool read = reader.take(',') && reader.change(rule.begin) && reader.take(',') &&
                    reader.change(rule.end) && reader.at_end();
  return read ? std::optional(rule) : std::nullopt;
}

}  // namespace coppice::schedule
