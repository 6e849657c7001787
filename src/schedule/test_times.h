// Times for tests, written as people do.
#pragma once

#include <chrono>
#include <cstdint>

namespace coppice::schedule {

inline std::int64_t utc(int year, unsigned month, unsigned day, int hours = 0, int minutes = 0,
                        int seconds = 0) {
  const std::chrono::sys_days date =
      std::chrono::year(year) / std::chrono::month(month) / std::chrono::day(day);
  return std::int64_t{date.time_since_epoch().count()} * 86'400 + hours * 3'600 + minutes * 60 +
         seconds;
}

}  // namespace coppice::schedule
