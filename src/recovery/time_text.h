// Times and ages as people write them.
//
// Units    Microseconds; times since 1970 UTC.
// Errors   kUsage, saying how they are written.
// Threads  Pure functions.
#pragma once

#include <cstdint>
#include <string>

namespace coppice::recovery {

// A time as PostgreSQL or RFC 3339 writes it, or a day. Without a zone it is UTC.
std::int64_t time_in(const std::string& text);
// "12 hours", "30 days"; a month has 30 days, a year 365.
std::int64_t age_us(const std::string& text);

}  // namespace coppice::recovery
