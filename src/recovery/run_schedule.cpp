#include "recovery/run_schedule.h"

#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <exception>
#include <filesystem>

#include "base/crash_point.h"
#include "base/files.h"
#include "base/text.h"
#include "base/wall_time.h"
#include "engine/emit.h"
#include "engine/open_home.h"
#include "pg/private_server.h"
#include "recovery/due_note.h"
#include "recovery/open_repository.h"
#include "recovery/scheduled_tasks.h"
#include "recovery/task_log.h"

namespace coppice::recovery {
namespace {

using engine::EngineContext;
using std::chrono::steady_clock;

constexpr std::int64_t kLateS = 60 * 60;

std::int64_t now_s() { return wall_time_us() / 1'000'000; }

std::filesystem::path lock_file(const Config& config) { return config.home() / "schedule.lock"; }

std::vector<schedule::Attempt> attempts_of(const std::vector<LoggedRun>& runs) {
  std::vector<schedule::Attempt> attempts;
  for (const LoggedRun& run : runs) attempts.push_back(run.attempt);
  return attempts;
}

// Leaves a private server as it was found: up or down.
class ServerAsFound {
 public:
  explicit ServerAsFound(const Config& config) : config_(config) {
    if (!config.text("database.url").empty()) return;
    pg::PrivateServerOptions options;
    options.home = config.home();
    const pg::ServerState state = pg::PrivateServer(std::move(options)).status().state;
    was_down_ = state == pg::ServerState::kDown;
  }

  bool was_down() const { return was_down_; }
  // With the last session of this process still open. True when the server is to be stopped.
  bool is_ours(pg::Connection& connection) const {
    if (!was_down_) return false;
    return !connection
                .exec(
                    "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = "
                    "'client backend' AND pid <> pg_backend_pid())")
                .boolean(0, 0);
  }
  void stop() const { engine::stop_home(config_); }

 private:
  const Config& config_;
  bool was_down_ = false;
};

std::optional<std::string> home_id_of(pg::Connection& connection) {
  const pg::Result row = connection.exec("SELECT value FROM coppice.meta WHERE key = 'home_id'");
  return row.rows() == 0 ? std::nullopt : std::optional<std::string>(row.text(0, 0));
}

class ScheduleRunner {
 public:
  ScheduleRunner(const Config& config, const ScheduleRequest& request, Recovery& recovery,
                 ResultSink& sink)
      : config_(config), request_(request), recovery_(recovery), sink_(sink) {}

  ScheduleReport run() {
    const std::vector<ScheduledTask> tasks = wanted_tasks();
    const schedule::Zone zone = schedule_zone(config_);
    const ServerAsFound server(config_);
    // A server that runs costs nothing to ask.
    if (server.was_down() && request_.tasks.empty() && is_noted()) return std::move(report_);
    remove_due_note(config_);
    open();
    settle(tasks);
    for (const ScheduledTask& task : tasks) {
      if (is_due(task, zone)) run_task(task.name);
    }
    find_next(zone);
    const bool stop = server.is_ours(context_->main);
    context_.reset();
    if (stop) server.stop();
    return std::move(report_);
  }

 private:
  std::vector<ScheduledTask> wanted_tasks() const {
    const std::vector<ScheduledTask> all = scheduled_tasks(config_);
    std::vector<std::string> names;
    for (const ScheduledTask& task : all) names.push_back(task.name);
    for (const std::string& name : request_.tasks) {
      if (std::find(names.begin(), names.end(), name) != names.end()) continue;
      throw Error(ErrorCode::kUsage, fmt::format("a schedule has no task \"{}\"", name),
                  "there are " + join(names, ", "));
    }
    return all;
  }

  void settle(const std::vector<ScheduledTask>& tasks) {
    std::vector<std::string> scheduled;
    for (const ScheduledTask& task : tasks) {
      if (task.when) scheduled.push_back(task.name);
    }
    TaskLog log(context_->main);
    log.settle();
    log.drop_others(scheduled);
  }

  // A task may take hours, and the server may have been started again since.
  void open() {
    if (context_ && context_->main.is_alive()) return;
    context_.reset();
    context_ = engine::open_home(config_);
  }

  schedule::NextRun next_of(const ScheduledTask& task, const schedule::Zone& zone) {
    TaskLog log(context_->main);
    const std::int64_t since = log.since_s(task.name, task.calendar, now_s());
    return schedule::next_run(*task.when, zone, since, attempts_of(log.runs(task.name)), now_s());
  }

  bool is_due(const ScheduledTask& task, const schedule::Zone& zone) {
    if (!request_.tasks.empty()) {
      return std::find(request_.tasks.begin(), request_.tasks.end(), task.name) !=
             request_.tasks.end();
    }
    if (!task.when) return false;
    open();
    return next_of(task, zone).at_s <= now_s();
  }

  void run_task(const std::string& task) {
    open();
    const std::string run = TaskLog(context_->main).begin(task, now_s());
    const auto parts = static_cast<std::uint32_t>(config_.integer("schedule.verify_parts"));
    const std::uint32_t part = TaskLog(context_->main).next_part(parts);
    reach_crash_point("schedule.task_begun");
    const auto begun = steady_clock::now();
    bool is_over = true;  // false: it could not even be looked at
    const TaskOutcome outcome = outcome_of(task, part, is_over);
    reach_crash_point("schedule.task_done");
    const char* word = !outcome.is_done ? "failed" : outcome.error.empty() ? "done" : "partly";
    open();
    const bool has_part = task == "verify" && is_over;
    TaskLog(context_->main)
        .end(run, word, outcome.error, has_part ? std::optional(part) : std::nullopt, now_s());
    ScheduleReport::Run& line = report_.runs.emplace_back();
    line.task = task;
    line.outcome = word;
    line.what = outcome.error.empty() ? outcome.what : outcome.error;
    line.code = outcome.code;
    line.seconds = std::chrono::duration<double>(steady_clock::now() - begun).count();
  }

  TaskOutcome outcome_of(const std::string& task, std::uint32_t part, bool& is_over) {
    TaskOutcome outcome;
    outcome.is_done = false;
    is_over = false;
    try {
      const TaskSubject subject{config_, repository(), part, home_id_of(context_->main)};
      outcome = do_task(task, subject, recovery_, sink_);
      is_over = true;
    } catch (const Error& error) {
      outcome.error = error.message();
      if (!error.hint().empty()) outcome.error += " (" + error.hint() + ")";
      outcome.code = error.code();
    } catch (const std::exception& error) {
      outcome.error = error.what();
      outcome.code = ErrorCode::kInternal;
    }
    return outcome;
  }

  // Asked for when something is due: a program may have to be run for the key.
  const RepositoryAddress& repository() {
    if (!repository_) repository_ = request_.repository();
    return *repository_;
  }

  // True when nothing is due by what the last run found.
  bool is_noted() {
    const std::optional<DueNote> note = read_due_note(config_, now_s());
    if (note) tell_next(*note);
    return note.has_value();
  }

  void find_next(const schedule::Zone& zone) {
    std::optional<DueNote> next;
    for (const ScheduledTask& task : scheduled_tasks(config_)) {
      if (!task.when) continue;
      const std::int64_t at = next_of(task, zone).at_s;
      if (!next || at < next->at_s) next = DueNote{at, task.name};
    }
    if (!next) return;
    tell_next(*next);
    write_due_note(config_, *next, now_s());
  }

  void tell_next(const DueNote& next) {
    report_.next_task = next.task;
    report_.next_at = utc_text(next.at_s * 1'000'000);
  }

  const Config& config_;
  const ScheduleRequest& request_;
  Recovery& recovery_;
  ResultSink& sink_;
  std::unique_ptr<EngineContext> context_;
  std::optional<RepositoryAddress> repository_;
  ScheduleReport report_;
};

}  // namespace

ScheduleReport run_schedule(const Config& config, const ScheduleRequest& request,
                            Recovery& recovery, ResultSink& sink) {
  if (!std::filesystem::is_directory(config.home())) engine::open_home(config);  // says what lacks
  engine::check_restored(config);
  const std::optional<FileDescriptor> lock = try_lock_file(lock_file(config));
  if (!lock) {
    ScheduleReport report;
    report.is_busy = true;
    return report;
  }
  return ScheduleRunner(config, request, recovery, sink).run();
}

void show_schedule(const Config& config, ResultSink& sink) {
  const schedule::Zone zone = schedule_zone(config);
  const auto context = engine::open_home(config);
  TaskLog log(context->main);
  std::string overdue;
  engine::RowsOut rows(sink, {{"task", "text"},
                              {"calendar", "text"},
                              {"last", "timestamp with time zone"},
                              {"outcome", "text"},
                              {"error", "text"},
                              {"next", "timestamp with time zone"}});
  for (const ScheduledTask& task : scheduled_tasks(config)) {
    const std::vector<LoggedRun> runs = log.runs(task.name);
    std::optional<std::string> last, outcome, error, next;
    if (!runs.empty()) {
      last = runs[0].began_at;
      // Nobody holds the lock: it died.
      const bool died = runs[0].outcome == "running" && try_lock_file(lock_file(config));
      outcome = died ? "interrupted" : runs[0].outcome;
      if (!runs[0].error.empty()) error = runs[0].error;
    }
    if (task.when) {
      const std::int64_t since = log.known_since_s(task.name, task.calendar).value_or(now_s());
      const schedule::NextRun run =
          schedule::next_run(*task.when, zone, since, attempts_of(runs), now_s());
      next = utc_text(run.at_s * 1'000'000);
      const bool is_late = run.at_s + kLateS < now_s() && outcome != "running";
      if (is_late && overdue.empty()) overdue = task.name;
    }
    rows.row({task.name, task.when ? std::optional(task.calendar) : std::nullopt, last, outcome,
              error, next});
  }
  rows.end();
  if (overdue.empty()) return;
  sink.notice(fmt::format(
      "{} has been due for more than an hour: does anything call coppice schedule run? A timer "
      "does: coppice schedule install",
      overdue));
}

}  // namespace coppice::recovery
