#include "schedule/timer_text.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/error.h"
#include "base/sha256.h"
#include "base/text.h"

namespace coppice::schedule {
namespace {

void refuse_paths(const TimerSubject& subject, std::string_view letters) {
  for (const std::string& path : {subject.program, subject.home}) {
    COPPICE_ASSERT(path.starts_with('/'));
    if (path.find_first_of(letters) == std::string::npos && !first_invalid_utf8(path)) continue;
    throw Error(ErrorCode::kUsage,
                fmt::format("the path {} has letters that a timer cannot name", shell_quoted(path)),
                "give the folder another name, or a link to it");
  }
}

// One word of a command of a unit: no specifier, escape, blank or variable means anything in it.
// The first word, the program, may have no variables.
std::string command_word(std::string_view text, std::string_view doubled = "%$") {
  std::string word = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') word += '\\';
    if (doubled.find(c) != std::string_view::npos) word += c;
    word += c;
  }
  return word + "\"";
}

// A text of a unit in which only specifiers mean something.
std::string plain_text(std::string_view text) {
  std::string plain;
  for (const char c : text) {
    if (c == '%') plain += c;
    plain += c;
  }
  return plain;
}

std::string description(const TimerSubject& subject) {
  // A backslash at the end of a line would go on with the next one.
  return plain_text(subject.home) + " (Coppice)";
}

// What a service of the machine cannot do. The server and its workers are of the service: what
// would be in their way (mounts of their own, a device, memory that is made executable) stays.
constexpr std::string_view kSystemWalls =
    "ProtectSystem=full\n"
    "ProtectControlGroups=yes\n"
    "ProtectKernelModules=yes\n"
    "ProtectKernelLogs=yes\n";

bool is_own_line(std::string_view line, std::string_view name) {
  return trim(line).ends_with("# " + std::string(name));
}

std::string without_line(std::string_view crontab, std::string_view name) {
  std::string kept;
  while (!crontab.empty()) {
    const std::size_t end = std::min(crontab.find('\n'), crontab.size() - 1) + 1;
    const std::string_view line = crontab.substr(0, end);
    if (!is_own_line(line, name)) kept += line;
    crontab.remove_prefix(end);
  }
  return kept;
}

}  // namespace

std::string timer_name(std::string_view home) {
  constexpr std::size_t kDigits = 8;
  return "coppice-schedule-" + to_hex(sha256(home)).substr(0, kDigits);
}

std::string service_unit(const TimerSubject& subject) {
  refuse_paths(subject, "\n\r");
  std::string unit = fmt::format(
      "# Made by coppice schedule install; it is replaced as a whole.\n"
      "[Unit]\n"
      "Description=Backups, checks and drills of {}\n"
      "Documentation=man:coppice(1)\n",
      description(subject));
  if (subject.system) unit += "After=network-online.target\nWants=network-online.target\n";
  unit += fmt::format(
      "\n"
      "[Service]\n"
      "Type=oneshot\n"
      "ExecStart={} schedule run --home {}\n"
      // A database server that somebody else uses meanwhile goes on.
      "KillMode=process\n",
      command_word(subject.program, "%"), command_word(subject.home));
  if (subject.system && subject.account) unit += fmt::format("User={}\n", *subject.account);
  unit +=
      "Nice=10\n"
      "IOSchedulingClass=idle\n"
      "UMask=0077\n"
      "NoNewPrivileges=yes\n"
      "LockPersonality=yes\n"
      "RestrictRealtime=yes\n"
      "RestrictSUIDSGID=yes\n";
  if (subject.system) unit += kSystemWalls;
  return unit;
}

std::string timer_unit(const TimerSubject& subject) {
  refuse_paths(subject, "\n\r");
  return fmt::format(
      "# Made by coppice schedule install; it is replaced as a whole.\n"
      "[Unit]\n"
      "Description=When to look what is due in {}\n"
      "\n"
      "[Timer]\n"
      "OnCalendar=*:0/{}\n"
      "Persistent=yes\n"
      "AccuracySec=1s\n"
      "\n"
      "[Install]\n"
      "WantedBy=timers.target\n",
      description(subject), kMinutesBetweenCalls);
}

std::string cron_line(const TimerSubject& subject) {
  // Programs differ in what they make of a backslash.
  refuse_paths(subject, "\n\r\\");
  const std::string command =
      fmt::format("nice -n 10 {} schedule run --quiet --home {}", shell_quoted(subject.program),
                  shell_quoted(subject.home));
  std::string line = fmt::format("*/{} * * * * ", kMinutesBetweenCalls);
  for (const char c : command) {
    if (c == '%') line += '\\';  // else it ends the command
    line += c;
  }
  return line + " # " + timer_name(subject.home);
}

std::string crontab_with(std::string_view crontab, const TimerSubject& subject) {
  std::string text = without_line(crontab, timer_name(subject.home));
  if (!text.empty() && text.back() != '\n') text += '\n';
  return text + cron_line(subject) + '\n';
}

std::string crontab_without(std::string_view crontab, std::string_view home) {
  return without_line(crontab, timer_name(home));
}

}  // namespace coppice::schedule
