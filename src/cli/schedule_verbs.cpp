#include <fmt/core.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "base/error.h"
#include "base/files.h"
#include "base/text.h"
#include "cli/json_text.h"
#include "cli/repository_words.h"
#include "cli/timer.h"
#include "cli/verb_functions.h"
#include "config/secret.h"
#include "config/settings.h"
#include "engine/quiet_sinks.h"
#include "schedule/task_names.h"
#include "schedule/zone.h"

namespace coppice::cli {
namespace {

namespace fs = std::filesystem;

// One row a task that was run.
void print_runs(Session& session, const ScheduleReport& report) {
  PrintingSink sink = session.sink();
  const ResultColumn columns[] = {
      {"task", "text"}, {"outcome", "text"}, {"seconds", "double precision"}, {"what", "text"}};
  sink.begin_rows(columns);
  for (const ScheduleReport::Run& run : report.runs) {
    const std::string seconds = fmt::format("{:.3f}", run.seconds);
    const std::vector<std::optional<std::string_view>> values = {run.task, run.outcome, seconds,
                                                                 run.what};
    sink.row(values);
  }
  sink.end_rows();
}

void throw_failures(const ScheduleReport& report) {
  std::vector<std::string> failures;
  bool is_damaged = false, is_any_done = false;
  for (const ScheduleReport::Run& run : report.runs) {
    if (run.outcome != "failed") is_any_done = true;
    if (run.outcome == "done") continue;
    failures.push_back(run.task + ": " + run.what);
    is_damaged = is_damaged || run.code == ErrorCode::kIntegrity;
  }
  if (failures.empty()) return;
  throw Error(is_damaged    ? ErrorCode::kIntegrity
              : is_any_done ? ErrorCode::kPartlyDone
                            : ErrorCode::kComputation,
              fmt::format("of {} scheduled tasks {} failed: {}", report.runs.size(),
                          failures.size(), join(failures, "\n  ")),
              "what failed is tried again by a later call; see: coppice schedule show");
}

// As a timer finds them: without this environment.
Config kept_settings(Session& session) {
  return Config::load({session.config().home(), std::nullopt, {}});
}

bool is_scheduled(const Config& config) {
  return std::any_of(schedule::kTaskNames.begin(), schedule::kTaskNames.end(), [&](auto task) {
    return !config.text("schedule." + std::string(task)).empty();
  });
}

bool opens_without_key(Session& session, const Config& kept) {
  try {
    RepositoryAddress address;
    address.url = kept.text("backup.repository");
    engine::SilentSink silent;
    session.factory().recovery()->list(address, silent);
    return true;
  } catch (const Error&) {
    return false;
  }
}

bool has_keep_rule(const Config& config) {
  const auto all = settings();
  return std::any_of(all.begin(), all.end(), [&](const Setting& setting) {
    return setting.key.starts_with("backup.keep_") &&
           config.text(setting.key) != setting.default_value;
  });
}

// What a task would fail for at night.
void check_tasks(const Config& kept) {
  if (!kept.text("schedule.forget").empty() && !has_keep_rule(kept)) {
    throw Error(ErrorCode::kUsage, "schedule.forget is set, and no setting says which backups stay",
                "write under [backup], for example: keep_daily = 7");
  }
  const std::string& assertions = kept.text("schedule.drill_assertions");
  if (!assertions.empty()) read_file(kept.home() / assertions);
}

// A timer is of no use if what it calls cannot find the key.
void check_key(Session& session, const Config& kept) {
  if (!kept.text("backup.key_file").empty()) {
    read_file(kept.home() / kept.text("backup.key_file"));
    return;
  }
  const std::string& reference = kept.text("backup.password");
  if (!reference.starts_with("env:")) {
    Secrets({}).resolve(reference);
    return;
  }
  if (opens_without_key(session, kept)) return;
  throw Error(
      ErrorCode::kUsage,
      fmt::format("the passphrase of the repository is only in your environment ({}), which "
                  "a timer does not see",
                  reference),
      fmt::format("write it into a file that only you can read, and say where under "
                  "[backup] in {}: password = \"file:/path\", or \"cmd:program\"",
                  kept.file().string()));
}

void check_installable(Session& session, const Config& kept) {
  const std::string file = kept.file().string();
  if (!is_scheduled(kept)) {
    throw Error(ErrorCode::kUsage, "nothing is scheduled in " + file,
                "write under [schedule], for example: backup = \"daily 02:30\"");
  }
  schedule::Zone::named(kept.text("schedule.timezone"));
  check_tasks(kept);
  if (kept.text("backup.repository").empty()) {
    throw Error(ErrorCode::kUsage, "backup.repository is not set in " + file,
                "a timer does not see your environment: write it there, under [backup]");
  }
  if (kept.text("database.url") != session.config().text("database.url")) {
    throw Error(ErrorCode::kUsage, "database.url is not set in " + file,
                "a timer does not see your environment: write it there, under [database]");
  }
  if (kept.text("backup.repository").find("://") == std::string::npos &&
      !kept.text("backup.repository").starts_with('/')) {
    throw Error(ErrorCode::kUsage,
                fmt::format("backup.repository is {}, which is another folder for a timer",
                            kept.text("backup.repository")),
                "write the whole path, from /, in " + file);
  }
  check_key(session, kept);
}

std::optional<std::string> owner_of(const fs::path& folder) {
  struct stat facts {};
  if (::stat(folder.c_str(), &facts) != 0) throw_errno("look at " + folder.string());
  if (facts.st_uid == 0) return std::nullopt;
  const struct passwd* const account = ::getpwuid(facts.st_uid);
  return account == nullptr ? std::to_string(facts.st_uid) : std::string(account->pw_name);
}

schedule::TimerSubject subject_of(const Config& config) {
  schedule::TimerSubject subject;
  subject.program = fs::read_symlink("/proc/self/exe").string();
  subject.home = config.home().string();
  if (::geteuid() == 0) subject.account = owner_of(config.home());
  return subject;
}

TimerKind kind_asked_for(Session& session) {
  const Invocation& arguments = session.arguments();
  const bool user = arguments.has("--user"), system = arguments.has("--system"),
             cron = arguments.has("--cron");
  if (user + system + cron > 1) {
    throw Error(ErrorCode::kUsage, "several kinds of timers were asked for",
                "give one of --user, --system and --cron");
  }
  const bool is_root = ::geteuid() == 0;
  if (system && !is_root && !arguments.has("--print")) {
    throw Error(ErrorCode::kRefused, "only root can install a timer of the machine",
                "leave --system away for one of yours, or use sudo");
  }
  if (cron) return TimerKind::kCrontab;
  if (system) return TimerKind::kSystemUnit;
  if (user) return TimerKind::kUserUnit;
  if (!Timer::has_systemd(!is_root)) return TimerKind::kCrontab;
  return is_root ? TimerKind::kSystemUnit : TimerKind::kUserUnit;
}

// Without it a user's timers end with the last session.
bool lingers() {
  const struct passwd* const account = ::getpwuid(::geteuid());
  return account != nullptr && fs::exists(fs::path("/var/lib/systemd/linger") / account->pw_name);
}

}  // namespace

int run_schedule_run(Session& session) {
  ScheduleRequest request;
  request.tasks = session.arguments().all("TASK");
  request.repository = [&] { return named_repository(session); };
  PrintingSink sink = session.sink();
  const ScheduleReport report =
      session.factory().recovery()->schedule_run(session.config(), request, sink);
  if (report.is_busy) {
    session.console().notice("another process runs the schedule of this home now");
    return 0;
  }
  // A timer that is quiet has nothing to say when all is well: cron would send it by mail.
  const bool is_quiet = session.format() == RowFormat::kTable && session.console().quiet();
  if (!report.runs.empty() && !is_quiet) {
    print_runs(session, report);
  } else if (report.runs.empty() && session.format() == RowFormat::kTable && !is_quiet) {
    const std::string next =
        fmt::format("nothing is due; next: {} at {}", report.next_task, report.next_at);
    session.say(report.next_task.empty()
                    ? "nothing is scheduled; see [schedule] in " + session.config().file().string()
                    : next,
                {});
  }
  session.console().out().flush();  // before what is wrong with it
  throw_failures(report);
  return 0;
}

int run_schedule_show(Session& session) {
  PrintingSink sink = session.sink();
  session.factory().recovery()->schedule_show(session.config(), sink);
  return 0;
}

int run_schedule_install(Session& session) {
  const Config kept = kept_settings(session);
  check_installable(session, kept);
  const TimerKind kind = kind_asked_for(session);
  const Timer timer(kind, subject_of(kept), session.environment());
  if (session.arguments().has("--print")) {
    session.console().out().write(timer.text());
    return 0;
  }
  timer.install();
  session.say(fmt::format("installed {}; it looks every {} minutes what is due", timer.place(),
                          schedule::kMinutesBetweenCalls),
              JsonObject().add("installed", timer.place()).text());
  if (kind == TimerKind::kUserUnit && !lingers()) {
    session.console().notice(
        "it runs while you are logged in; to have it always: loginctl enable-linger");
  }
  return 0;
}

int run_schedule_remove(Session& session) {
  std::vector<std::string> removed;
  for (const TimerKind kind : {TimerKind::kSystemUnit, TimerKind::kUserUnit, TimerKind::kCrontab}) {
    const Timer timer(kind, subject_of(session.config()), session.environment());
    if (timer.remove()) removed.push_back(timer.place());
  }
  session.say(
      removed.empty() ? "No timer of this home was installed." : "removed " + join(removed, ", "),
      JsonObject().add_json("removed", json_strings(removed)).text());
  return 0;
}

}  // namespace coppice::cli
