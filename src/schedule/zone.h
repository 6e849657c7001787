// Zone: what clocks on the wall show, and when they are put forward and back.
//
// Model    A zone is read once, from the system's files (TZif, RFC 8536), and is a value from then
//          on: nothing here looks at TZ or at the C library's idea of local time.
// Units    Seconds since 1970-01-01 00:00; local ones as if the wall's clock were in UTC.
// Threads  Constant once made.
// Errors   kUsage for what is no name of a zone; kNotFound, saying what to install, when the system
//          does not have it; kIntegrity for a file that is none.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace coppice::schedule {

// A day of the year on which clocks are changed, and when: "M3.5.0/2", "J60", "59".
struct ZoneChange {
  enum class Kind { kMonthWeekDay, kDayWithoutLeap, kDay } kind = Kind::kDay;
  int month = 0, week = 0, day = 0;
  std::int64_t second_of_day = 7200;
};
// What holds behind the last change that a file lists: "CET-1CEST,M3.5.0,M10.5.0/3".
struct ZoneRule {
  std::int64_t standard_s = 0;  // east of Greenwich
  std::optional<std::int64_t> summer_s;
  ZoneChange begin, end;  // of the summer

  std::int64_t offset_s(std::int64_t utc_s) const;
};

class Zone {
 public:
  Zone() = default;  // UTC
  // "UTC", "local" (what /etc/localtime says), or a name as "Europe/Berlin".
  static Zone named(const std::string& name,
                    const std::filesystem::path& folder = "/usr/share/zoneinfo");
  // The bytes of such a file; `name` is for messages.
  static Zone parse(std::string_view bytes, const std::string& name);

  std::int64_t offset_s(std::int64_t utc_s) const;
  std::int64_t local_s(std::int64_t utc_s) const { return utc_s + offset_s(utc_s); }
  // When the wall shows `local_s`: for the first time, when it does so twice; and when it skips it,
  // as long after the skip as it would have been without.
  std::int64_t utc_s(std::int64_t local_s) const;

 private:
  struct Change {
    std::int64_t at_s = 0;
    std::int64_t offset_s = 0;
  };
  std::int64_t first_offset_s_ = 0;  // before all changes
  std::vector<Change> changes_;      // by time
  std::optional<ZoneRule> rule_;
};

}  // namespace coppice::schedule
