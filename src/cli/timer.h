// Timers of this machine that call `schedule run`: where they are written, and how they are
// started.
//
// Model    Units of systemd lie in /etc/systemd/system, or in the user's ~/.config/systemd/user;
//          systemctl is told of them. Crontabs are read and written by the program crontab. Only
//          what bears the home's own name is touched.
// Errors   kRefused without the rights, kNotFound where there is neither systemd nor cron, kIo with
//          what a program said.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "config/config.h"
#include "schedule/timer_text.h"

namespace coppice::cli {

enum class TimerKind { kSystemUnit, kUserUnit, kCrontab };

class Timer {
 public:
  Timer(TimerKind kind, schedule::TimerSubject subject, const Environment& environment);

  // "# /etc/systemd/system/….service", its text, …
  std::string text() const;
  void install() const;
  // False when there was none.
  bool remove() const;
  // "the timer coppice-schedule-….timer", "the crontab".
  std::string place() const;

  // Whether systemd runs here, for the machine or for the user.
  static bool has_systemd(bool of_user);

 private:
  // Whether it is known where such a timer would be.
  bool can_be_there() const;
  std::filesystem::path unit_folder() const;
  std::filesystem::path unit_file(const char* suffix) const;
  void tell_systemd(const std::vector<std::string>& words) const;

  TimerKind kind_;
  schedule::TimerSubject subject_;
  const Environment& environment_;
};

}  // namespace coppice::cli
