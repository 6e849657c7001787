#include "cli/background.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <linux/close_range.h>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>

#include "base/error.h"
#include "base/process.h"
#include "base/text.h"
#include "cli/json_text.h"
#include "cli/session.h"

namespace coppice::cli {
namespace {

namespace fs = std::filesystem;
using std::chrono::steady_clock;

constexpr const char* kVariable = "COPPICE_JOB_PROCESS";  // "descriptor\nlog file\nold job"
constexpr std::chrono::seconds kStartPatience{2};         // for a job that has begun

struct Started {
  ChildProcess process;
  FileDescriptor report;
  fs::path log;
};

fs::path log_folder(const fs::path& home) { return home / "log" / "jobs"; }

Started start(const Config& config, std::vector<std::string> words, const std::string& folder,
              const std::string& replaces) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw_errno("create a pipe");
  FileDescriptor ours(ends[0]), theirs(ends[1]);
  ::fcntl(theirs.get(), F_SETFD, 0);  // the child's to inherit
  fs::create_directories(log_folder(config.home()));
  static int count = 0;
  const fs::path log =
      log_folder(config.home()) / fmt::format("starting-{}-{}.log", ::getpid(), ++count);
  ChildOptions options;
  options.argv = {fs::read_symlink("/proc/self/exe").string()};
  options.argv.insert(options.argv.end(), words.begin(), words.end());
  options.environment[kVariable] = fmt::format("{}\n{}\n{}", theirs.get(), log.string(), replaces);
  options.environment["COPPICE_HOME"] = config.home().string();
  if (const std::string url = config.text("database.url"); !url.empty()) {
    options.environment["COPPICE_DATABASE_URL"] = url;
  }
  if (fs::is_directory(folder)) options.folder = folder;
  options.output = Pipe::kNull;
  options.errors = Pipe::kNull;
  options.dies_with_parent = false;
  options.new_session = true;
  return {ChildProcess::start(options), std::move(ours), log};
}

// The lines that a starting job reports: "begun ID", "working".
class Reports {
 public:
  explicit Reports(int fd) : fd_(fd) {}

  // False: the process has ended, or the time is over.
  bool next(std::string& line, std::optional<steady_clock::time_point> until) {
    for (;;) {
      if (const std::size_t end = text_.find('\n'); end != std::string::npos) {
        line = text_.substr(0, end);
        text_.erase(0, end + 1);
        return true;
      }
      int wait_ms = -1;
      if (until) {
        const auto left =
            std::chrono::duration_cast<std::chrono::milliseconds>(*until - steady_clock::now());
        if (left.count() <= 0) return false;
        wait_ms = static_cast<int>(left.count());
      }
      pollfd ready{fd_, POLLIN, 0};
      const int count = ::poll(&ready, 1, wait_ms);
      if (count < 0) throw Error(ErrorCode::kInterrupted, "interrupted while the job starts");
      if (count == 0) return false;
      char buffer[512];
      const ssize_t size = ::read(fd_, buffer, sizeof buffer);
      if (size <= 0) {
        ended_ = true;
        return false;
      }
      text_.append(buffer, static_cast<std::size_t>(size));
    }
  }
  bool ended() const { return ended_; }

 private:
  int fd_;
  std::string text_;
  bool ended_ = false;
};

void refuse_standard_input(const Invocation& arguments) {
  const std::string_view verb = arguments.verb().name;
  const bool sql =
      verb == "sql" && !arguments.has("SQL") && arguments.value("--file").value_or("-") == "-";
  const bool rows = verb == "insert" && arguments.argument("--from") == "-";
  if (!sql && !rows) return;
  throw Error(ErrorCode::kUsage, "standard input ends with this command, and the job does not",
              sql ? "give the statement as an argument or a file" : "give the rows as a file");
}

// The words that the catalog remembers. Home and database go by the environment: an address may
// hold a password, and whoever opens the home later knows both.
std::vector<std::string> words_of(std::span<const std::string> arguments) {
  std::vector<std::string> words;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string& word = arguments[i];
    if (word == "--home" || word == "--database") {
      ++i;
    } else if (word != "--background" && !word.starts_with("--home=") &&
               !word.starts_with("--database=")) {
      words.push_back(word);
    }
  }
  return words;
}

// What the job's process has printed, where it ended before the job was under way.
void tell_log(Session& session, const fs::path& log) {
  Output& errors = session.console().err();
  errors.write(read_file(log));
  errors.flush();
}

}  // namespace

int start_in_background(Session& session, std::span<const std::string> arguments) {
  refuse_standard_input(session.arguments());
  session.engine();  // a home that cannot be opened is told here
  Started started = start(session.config(), words_of(arguments), fs::current_path().string(), {});
  Reports reports(started.report.get());
  std::optional<std::string> id;
  std::optional<steady_clock::time_point> until;
  std::string line;
  while (reports.next(line, until)) {
    if (line == "working") break;
    id = line.substr(line.find(' ') + 1);
    until = steady_clock::now() + kStartPatience;
  }
  const fs::path log = id ? log_folder(session.config().home()) / (*id + ".log") : started.log;
  if (reports.ended()) {
    const int code = started.process.wait().code;
    if (code != 0 || !id) tell_log(session, log);
    if (!id) {
      std::error_code ignored;
      fs::remove(log, ignored);
    }
    if (code != 0) return code;
  } else {
    started.process.detach();
  }
  if (!id) {
    session.console().notice("it was done at once, and there is no job");
    return 0;
  }
  session.console().out().write(session.format() == RowFormat::kJson
                                    ? JsonObject().add("job", *id).text() + "\n"
                                    : *id + "\n");
  session.console().notice(fmt::format(
      "job {0} runs in the background: coppice jobs show {0}, coppice jobs wait {0}", *id));
  return 0;
}

void start_abandoned_jobs(Session& session, Engine& engine) {
  for (const JobToStart& job : engine.jobs_to_start()) {
    std::vector<std::string> words = job.words;
    if (!job.anew) words = {"jobs", "resume", job.id};
    start(session.config(), words, job.folder, job.anew ? job.id : std::string()).process.detach();
    session.console().notice(
        fmt::format("background job {} had lost its process and goes on", job.id));
  }
}

std::unique_ptr<JobProcess> JobProcess::adopt(Environment& environment,
                                              std::span<const std::string> arguments) {
  const auto found = environment.find(kVariable);
  if (found == environment.end()) return nullptr;
  const std::vector<std::string> parts = split(found->second, '\n');
  environment.erase(found);
  ::unsetenv(kVariable);
  auto job = std::make_unique<JobProcess>();
  const int report = std::stoi(parts.at(0));
  job->report_ = FileDescriptor(report);
  job->log_ = parts.at(1);
  if (parts.size() > 2 && !parts[2].empty()) job->replaces_ = parts[2];
  job->words_.assign(arguments.begin(), arguments.end());
  ::fcntl(report, F_SETFD, FD_CLOEXEC);
  // Whatever the one who started us has left open.
  if (report > 3) ::syscall(SYS_close_range, 3U, static_cast<unsigned>(report) - 1, 0U);
  ::syscall(SYS_close_range, static_cast<unsigned>(report) + 1, ~0U, 0U);
  job->name_log(job->log_);
  return job;
}

// Standard output and errors go to this file from now on.
void JobProcess::name_log(const fs::path& file) {
  std::string before;
  if (file != log_ && fs::exists(log_)) before = read_file(log_);
  const FileDescriptor log(::open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  if (!log) return;
  if (!before.empty()) write_all(log.get(), before, file.string());
  ::dup2(log.get(), STDOUT_FILENO);
  ::dup2(log.get(), STDERR_FILENO);
  std::error_code ignored;
  if (file != log_) fs::remove(log_, ignored);
  log_ = file;
}

void JobProcess::report(const std::string& line) {
  // Who started us may have gone: that is nothing to this job.
  [[maybe_unused]] const ssize_t size =
      ::write(report_.get(), (line + "\n").data(), line.size() + 1);
}

BackgroundCommand JobProcess::command(const fs::path& home) {
  BackgroundCommand command;
  command.words = words_;
  command.folder = fs::current_path().string();
  command.replaces = replaces_;
  command.begun = [this, home](const std::string& id) {
    name_log(log_folder(home) / (id + ".log"));
    report("begun " + id);
  };
  command.working = [this] { report("working"); };
  return command;
}

}  // namespace coppice::cli
