#include "cli/timer.h"

#include <fmt/core.h>

#include <chrono>
#include <system_error>

#include "base/error.h"
#include "base/files.h"
#include "base/process.h"
#include "base/text.h"

namespace coppice::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::seconds kPatience{30};

// nullopt when there is no such program.
std::optional<RunResult> run(std::vector<std::string> argv) {
  ChildOptions options;
  options.argv = std::move(argv);
  try {
    return run_program(std::move(options), kPatience);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kNotFound) throw;
    return std::nullopt;
  }
}

[[noreturn]] void throw_failure(const std::vector<std::string>& argv, const RunResult& result) {
  const std::string said(trim(result.errors.empty() ? result.output : result.errors));
  throw Error(ErrorCode::kIo, fmt::format("{} failed: {}", join(argv, " "),
                                          result.timed_out ? "it did not end" : said));
}

// What root calls for another account's home runs as that account: its settings name programs.
std::vector<std::string> crontab_words(const std::optional<std::string>& account) {
  if (account) return {"crontab", "-u", *account};
  return {"crontab"};
}

// nullopt when there is no program for it.
std::optional<std::string> read_crontab(const std::optional<std::string>& account) {
  std::vector<std::string> argv = crontab_words(account);
  argv.emplace_back("-l");
  const std::optional<RunResult> result = run(argv);
  if (!result) return std::nullopt;
  if (result->status.ok()) return result->output;
  if (lower(result->errors).find("no crontab") != std::string::npos) return std::string();
  throw_failure(argv, *result);
}

void write_crontab(const std::string& text, const std::optional<std::string>& account) {
  const ScratchFolder folder(fs::temp_directory_path(), "crontab");
  const fs::path file = folder.path() / "crontab";
  write_file_atomically(file, text);
  std::vector<std::string> argv = crontab_words(account);
  argv.push_back(file.string());
  const std::optional<RunResult> result = run(argv);
  if (!result || !result->status.ok()) throw_failure(argv, result.value_or(RunResult()));
}

}  // namespace

Timer::Timer(TimerKind kind, schedule::TimerSubject subject, const Environment& environment)
    : kind_(kind), subject_(std::move(subject)), environment_(environment) {
  subject_.system = kind_ == TimerKind::kSystemUnit;
}

fs::path Timer::unit_folder() const {
  if (kind_ == TimerKind::kSystemUnit) return "/etc/systemd/system";
  const auto set = [&](const char* name) {
    const auto found = environment_.find(name);
    return found == environment_.end() ? std::string() : found->second;
  };
  const std::string config = set("XDG_CONFIG_HOME");
  if (config.starts_with('/')) return fs::path(config) / "systemd/user";
  const std::string home = set("HOME");
  if (home.starts_with('/')) return fs::path(home) / ".config/systemd/user";
  throw Error(ErrorCode::kNotFound, "neither HOME nor XDG_CONFIG_HOME says where your units are");
}

fs::path Timer::unit_file(const char* suffix) const {
  return unit_folder() / (schedule::timer_name(subject_.home) + suffix);
}

std::string Timer::place() const {
  if (kind_ == TimerKind::kCrontab) return "a line of the crontab";
  return fmt::format("the {}timer {}.timer", kind_ == TimerKind::kUserUnit ? "user's " : "",
                     schedule::timer_name(subject_.home));
}

std::string Timer::text() const {
  if (kind_ == TimerKind::kCrontab) return schedule::cron_line(subject_) + "\n";
  return fmt::format("# {}\n{}\n# {}\n{}", unit_file(".service").string(),
                     schedule::service_unit(subject_), unit_file(".timer").string(),
                     schedule::timer_unit(subject_));
}

void Timer::install() const {
  if (kind_ == TimerKind::kUserUnit && subject_.account) {
    throw Error(ErrorCode::kRefused,
                fmt::format("the home belongs to {}, and a timer of root's would run what its "
                            "settings say as root",
                            *subject_.account),
                "install it as " + *subject_.account + ", or with --system: it runs as them then");
  }
  if (kind_ == TimerKind::kCrontab) {
    const std::optional<std::string> crontab = read_crontab(subject_.account);
    if (!crontab) {
      throw Error(ErrorCode::kNotFound, "this machine has neither systemd nor a program crontab",
                  "let what it has call this every few minutes: coppice schedule run; "
                  "--print shows a line");
    }
    const std::string changed = schedule::crontab_with(*crontab, subject_);
    if (changed != *crontab) write_crontab(changed, subject_.account);
    return;
  }
  std::error_code error;
  fs::create_directories(unit_folder(), error);
  if (error) {
    throw Error(ErrorCode::kIo, fmt::format("cannot make the folder {}: {}", unit_folder().string(),
                                            error.message()));
  }
  constexpr mode_t kReadable = 0644;
  write_file_atomically(unit_file(".service"), schedule::service_unit(subject_), kReadable);
  write_file_atomically(unit_file(".timer"), schedule::timer_unit(subject_), kReadable);
  tell_systemd({"daemon-reload"});
  tell_systemd({"enable", "--now", unit_file(".timer").filename().string()});
}

bool Timer::can_be_there() const {
  const auto is_set = [&](const char* name) { return environment_.contains(name); };
  return kind_ != TimerKind::kUserUnit || is_set("HOME") || is_set("XDG_CONFIG_HOME");
}

bool Timer::remove() const {
  if (!can_be_there()) return false;
  if (kind_ == TimerKind::kCrontab) {
    const std::optional<std::string> crontab = read_crontab(subject_.account);
    const std::string kept = schedule::crontab_without(crontab.value_or(""), subject_.home);
    if (!crontab || kept == *crontab) return false;
    write_crontab(kept, subject_.account);
    return true;
  }
  const fs::path timer = unit_file(".timer"), service = unit_file(".service");
  if (!fs::exists(timer) && !fs::exists(service)) return false;
  tell_systemd({"disable", "--now", timer.filename().string()});
  fs::remove(timer);
  fs::remove(service);
  tell_systemd({"daemon-reload"});
  return true;
}

void Timer::tell_systemd(const std::vector<std::string>& words) const {
  std::vector<std::string> argv = {"systemctl"};
  if (kind_ == TimerKind::kUserUnit) argv.emplace_back("--user");
  argv.insert(argv.end(), words.begin(), words.end());
  const std::optional<RunResult> result = run(argv);
  if (result && result->status.ok()) return;
  throw_failure(argv, result.value_or(RunResult{{}, false, {}, "there is no such program"}));
}

bool Timer::has_systemd(bool of_user) {
  std::vector<std::string> argv = {"systemctl"};
  if (of_user) argv.emplace_back("--user");
  argv.emplace_back("is-system-running");
  const std::optional<RunResult> result = run(argv);
  if (!result) return false;
  const std::string_view state = trim(result->output);
  for (const char* up : {"initializing", "starting", "running", "degraded", "maintenance"}) {
    if (state == up) return true;
  }
  return false;
}

}  // namespace coppice::cli
