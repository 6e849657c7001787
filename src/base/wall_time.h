// Wall time: what the calendar on the wall says, for what people and schedules go by later: moments
// of backups, times of scheduled runs, ages.
//
// Units    Microseconds since 1970-01-01 00:00 UTC.
// Threads  Safe from any thread.
#pragma once

#include <cstdint>
#include <optional>

namespace coppice {

// The system's time. With COPPICE_TEST=1, the seconds that COPPICE_NOW says: tests go through
// months.
std::int64_t wall_time_us();
// That of a test; nullopt when the system's holds. Throws kUsage when it is no number.
std::optional<std::int64_t> test_wall_time_us();

}  // namespace coppice
