#include "recovery/time_text.h"

#include <fmt/core.h>

#include <chrono>
#include <string_view>

#include "base/duration.h"
#include "base/error.h"

namespace coppice::recovery {
namespace {

using std::chrono::sys_days;

Error no_time(const std::string& text) {
  return Error(ErrorCode::kUsage, fmt::format("\"{}\" is no time", text),
               "write it like 2026-11-22 10:00:00+00 or 2026-11-22T10:00:00Z");
}

// Reads numbers and single letters one after another.
class Reader {
 public:
  explicit Reader(const std::string& text) : text_(text), rest_(text) {}

  int number(std::size_t most_digits) {
    int value = 0;
    std::size_t digits = 0;
    while (digits < most_digits && digits < rest_.size() && rest_[digits] >= '0' &&
           rest_[digits] <= '9') {
      value = value * 10 + (rest_[digits++] - '0');
    }
    if (digits == 0) throw no_time(text_);
    rest_.remove_prefix(digits);
    return value;
  }
  // The fraction behind a point, in microseconds.
  int microseconds() {
    int value = 0;
    int unit = 100'000;
    while (!rest_.empty() && rest_[0] >= '0' && rest_[0] <= '9') {
      value += unit * (rest_[0] - '0');
      unit /= 10;
      rest_.remove_prefix(1);
    }
    return value;
  }
  bool take(std::string_view letters) {
    if (rest_.empty() || letters.find(rest_[0]) == std::string_view::npos) return false;
    taken_ = rest_[0];
    rest_.remove_prefix(1);
    return true;
  }
  void need(std::string_view letters) {
    if (!take(letters)) throw no_time(text_);
  }
  char taken() const { return taken_; }
  bool at_end() const { return rest_.empty(); }

 private:
  const std::string& text_;
  std::string_view rest_;
  char taken_ = '\0';
};

}  // namespace

std::int64_t time_in(const std::string& text) {
  Reader reader(text);
  const int year = reader.number(4);
  reader.need("-");
  const int month = reader.number(2);
  reader.need("-");
  const int day = reader.number(2);
  const std::chrono::year_month_day date(std::chrono::year(year),
                                         std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day)));
  if (!date.ok()) throw no_time(text);
  std::int64_t seconds =
      std::chrono::duration_cast<std::chrono::seconds>(sys_days(date).time_since_epoch()).count();
  std::int64_t fraction = 0;
  if (!reader.at_end()) {
    reader.need(" T");
    const int hours = reader.number(2);
    reader.need(":");
    const int minutes = reader.number(2);
    int whole_seconds = 0;
    if (reader.take(":")) {
      whole_seconds = reader.number(2);
      if (reader.take(".")) fraction = reader.microseconds();
    }
    if (hours > 24 || minutes > 59 || whole_seconds > 60) throw no_time(text);
    seconds += hours * 3600 + minutes * 60 + whole_seconds;
    if (!reader.take("Zz") && reader.take("+-")) {
      const int sign = reader.taken() == '-' ? 1 : -1;
      const int zone_hours = reader.number(2);
      const bool has_minutes = reader.take(":") || !reader.at_end();
      seconds += sign * (zone_hours * 3600 + (has_minutes ? reader.number(2) * 60 : 0));
    }
  }
  if (!reader.at_end()) throw no_time(text);
  return seconds * 1'000'000 + fraction;
}

std::int64_t age_us(const std::string& text) {
  if (const auto age = duration_us(text)) return *age;
  throw Error(ErrorCode::kUsage, fmt::format("\"{}\" is no age", text),
              "write it like: 12 hours, 30 days, 2 weeks, 6 months, 1 year");
}

}  // namespace coppice::recovery
