// Timer texts: what makes a machine call `schedule run` every few minutes: units of systemd, or a
// line of a crontab.
//
// Model    Pure texts. A path that a unit or crontab cannot hold, one with a line feed, is refused.
// Errors   kUsage.
// Threads  Pure functions.
// Source   systemd.unit(5), systemd.service(5), systemd.timer(5), systemd.exec(5), crontab(5)
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace coppice::schedule {

inline constexpr int kMinutesBetweenCalls = 5;

struct TimerSubject {
  std::string program;  // an absolute path
  std::string home;
  bool system = false;                 // of the machine; else of a user
  std::optional<std::string> account;  // whose the home is, when root installs it and it is another
};

// "coppice-schedule-1f2e3d4c": of this home alone.
std::string timer_name(std::string_view home);

std::string service_unit(const TimerSubject& subject);
std::string timer_unit(const TimerSubject& subject);
// Without a line feed; ends with the name, as a comment.
std::string cron_line(const TimerSubject& subject);

// The crontab with this line in place of the home's own, or without one. All other lines stay as
// they are.
std::string crontab_with(std::string_view crontab, const TimerSubject& subject);
std::string crontab_without(std::string_view crontab, std::string_view home);

}  // namespace coppice::schedule
