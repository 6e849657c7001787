// Durations as people write them: "45 seconds", "10 minutes", "90 days".
//
// Units    Microseconds. A month has 30 days, a year 365.
// Threads  Pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace coppice {

// A whole number above zero and seconds, minutes, hours, days, weeks, months or years. nullopt for
// anything else, also for more than 10,000 years.
std::optional<std::int64_t> duration_us(std::string_view text);

}  // namespace coppice
