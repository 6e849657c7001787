#include "base/process.h"

#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <thread>
#include <utility>

#include "base/child_setup.h"
#include "base/error.h"
#include "base/text.h"

extern char** environ;

namespace coppice {
namespace {

Account to_account(const passwd& entry) {
  return {entry.pw_uid, entry.pw_gid, entry.pw_name, entry.pw_dir};
}

struct PipePair {
  FileDescriptor read, write;
};

PipePair make_pipe() {
  int fds[2];
  if (::pipe2(fds, O_CLOEXEC) != 0) throw_errno("create a pipe");
  return {FileDescriptor(fds[0]), FileDescriptor(fds[1])};
}

bool kept_when_cleared(const std::string& name) {
  return name == "PATH" || name == "LANG" || name == "TZ" || name.rfind("LC_", 0) == 0;
}

std::vector<std::string> make_environment(const ChildOptions& options) {
  std::map<std::string, std::string> values;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text = *entry;
    const std::size_t equals = text.find('=');
    const std::string name = text.substr(0, equals);
    if (equals == std::string::npos || (options.clear_environment && !kept_when_cleared(name)))
      continue;
    values[name] = text.substr(equals + 1);
  }
  for (const auto& [name, value] : options.environment) values[name] = value;
  std::vector<std::string> lines;
  for (const auto& [name, value] : values) lines.push_back(name + "=" + value);
  return lines;
}

std::vector<char*> pointers(std::vector<std::string>& strings) {
  std::vector<char*> result;
  for (std::string& text : strings) result.push_back(text.data());
  result.push_back(nullptr);
  return result;
}

struct StartFailure {
  int number;
  const char* step;
};

ExitStatus decode(int raw) {
  if (WIFSIGNALED(raw)) return {128 + WTERMSIG(raw), WTERMSIG(raw)};
  return {WEXITSTATUS(raw), 0};
}

}  // namespace

std::optional<Account> find_account(const std::string& name) {
  std::array<char, 4096> buffer;
  passwd entry;
  passwd* found = nullptr;
  ::getpwnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found);
  if (found == nullptr) return std::nullopt;
  return to_account(entry);
}

Account current_account() {
  std::array<char, 4096> buffer;
  passwd entry;
  passwd* found = nullptr;
  ::getpwuid_r(::geteuid(), &entry, buffer.data(), buffer.size(), &found);
  if (found == nullptr) return {::geteuid(), ::getegid(), std::to_string(::geteuid()), "/"};
  return to_account(entry);
}

ChildProcess ChildProcess::start(const ChildOptions& options) {
  COPPICE_ASSERT(!options.argv.empty());
  ChildProcess child;
  PipePair in, out, err;
  std::array<int, 3> fds{-1, -1, -1};
  FileDescriptor null_device;
  const auto wire = [&](int index, Pipe kind, PipePair& pair, bool child_reads) {
    if (kind == Pipe::kInherit) return;
    if (kind == Pipe::kNull) {
      if (!null_device) null_device = FileDescriptor(::open("/dev/null", O_RDWR | O_CLOEXEC));
      fds[index] = null_device.get();
      return;
    }
    pair = make_pipe();
    fds[index] = child_reads ? pair.read.get() : pair.write.get();
  };
  wire(0, options.input, in, true);
  wire(1, options.output, out, false);
  wire(2, options.errors, err, false);
  PipePair report = make_pipe();

  std::vector<std::string> argv = options.argv;
  std::vector<std::string> environment = make_environment(options);
  const std::vector<char*> argv_pointers = pointers(argv);
  const std::vector<char*> environment_pointers = pointers(environment);
  ChildSetup setup(options);
  const pid_t parent = ::getpid();
  child.pid_ = ::fork();
  if (child.pid_ < 0) throw_errno("start " + options.argv[0]);
  if (child.pid_ == 0) {
    // Opened as who we are: the account may not be let into the folder the program lies in.
    const bool by_descriptor = options.account && std::strchr(argv_pointers[0], '/') != nullptr;
    const int program = by_descriptor ? ::open(argv_pointers[0], O_PATH | O_CLOEXEC) : -1;
    StartFailure failure{0, "run"};
    failure.number = setup.run(fds, parent, &failure.step);
    if (failure.number == 0) {
      failure.step = "run";
      if (program >= 0) {
        ::fexecve(program, argv_pointers.data(), environment_pointers.data());
      }
      ::execvpe(argv_pointers[0], argv_pointers.data(), environment_pointers.data());
      failure.number = errno;
    }
    [[maybe_unused]] const ssize_t ignored = ::write(report.write.get(), &failure, sizeof failure);
    ::_exit(127);
  }
  report.write.reset();
  StartFailure failure{};
  ssize_t count;
  do {
    count = ::read(report.read.get(), &failure, sizeof failure);
  } while (count < 0 && errno == EINTR);
  if (count == sizeof failure) {
    child.wait();
    const std::string reason = std::strerror(failure.number);
    const std::string doing = std::string(failure.step) == "run"
                                  ? ""
                                  : std::string(" (it could not ") + failure.step + ")";
    throw Error(failure.number == ENOENT ? ErrorCode::kNotFound : ErrorCode::kIo,
                "cannot run " + options.argv[0] + doing + ": " + reason);
  }
  child.input_ = std::move(in.write);
  child.output_ = std::move(out.read);
  child.errors_ = std::move(err.read);
  return child;
}

ChildProcess::ChildProcess(ChildProcess&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      status_(std::exchange(other.status_, std::nullopt)),
      input_(std::move(other.input_)),
      output_(std::move(other.output_)),
      errors_(std::move(other.errors_)) {}

ChildProcess& ChildProcess::operator=(ChildProcess&& other) noexcept {
  if (this != &other) {
    kill();
    pid_ = std::exchange(other.pid_, -1);
    status_ = std::exchange(other.status_, std::nullopt);
    input_ = std::move(other.input_);
    output_ = std::move(other.output_);
    errors_ = std::move(other.errors_);
  }
  return *this;
}

ChildProcess::~ChildProcess() { kill(); }

std::optional<ExitStatus> ChildProcess::wait_for(std::chrono::milliseconds timeout) {
  if (status_) return status_;
  if (pid_ <= 0) return ExitStatus{};
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  auto pause = std::chrono::microseconds(200);
  for (;;) {
    int raw = 0;
    const pid_t reaped = ::waitpid(pid_, &raw, WNOHANG);
    if (reaped == pid_) return status_ = decode(raw);
    if (reaped < 0 && errno != EINTR) return status_ = ExitStatus{127, 0};
    if (std::chrono::steady_clock::now() >= deadline) return std::nullopt;
    std::this_thread::sleep_for(pause);
    pause = std::min(pause * 2, std::chrono::microseconds(20000));
  }
}

ExitStatus ChildProcess::wait() {
  if (status_) return *status_;
  if (pid_ <= 0) return ExitStatus{};
  int raw = 0;
  while (::waitpid(pid_, &raw, 0) < 0) {
    if (errno != EINTR) return *(status_ = ExitStatus{127, 0});
  }
  return *(status_ = decode(raw));
}

void ChildProcess::send_signal(int signal) {
  if (pid_ > 0 && !status_) ::kill(pid_, signal);
}

void ChildProcess::kill() {
  if (pid_ <= 0 || status_) return;
  ::kill(pid_, SIGKILL);
  wait();
}

void ChildProcess::detach() { pid_ = -1; }

RunResult run_program(ChildOptions options, std::chrono::milliseconds timeout,
                      std::size_t limit_bytes) {
  options.output = Pipe::kPipe;
  options.errors = Pipe::kPipe;
  ChildProcess child = ChildProcess::start(options);
  RunResult result;
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  std::array<pollfd, 2> polls{{{child.output_fd(), POLLIN, 0}, {child.errors_fd(), POLLIN, 0}}};
  std::string* sinks[] = {&result.output, &result.errors};
  std::array<char, 65536> buffer;
  while (polls[0].fd >= 0 || polls[1].fd >= 0) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) {
      result.timed_out = true;
      child.kill();
      break;
    }
    const int ready = ::poll(polls.data(), polls.size(), static_cast<int>(left.count()));
    if (ready < 0 && errno != EINTR) throw_errno("wait for " + options.argv[0]);
    for (std::size_t i = 0; i < polls.size() && ready > 0; ++i) {
      if (polls[i].fd < 0 || polls[i].revents == 0) continue;
      const ssize_t count = ::read(polls[i].fd, buffer.data(), buffer.size());
      if (count > 0) {
        const std::size_t room = limit_bytes - std::min(limit_bytes, sinks[i]->size());
        sinks[i]->append(buffer.data(), std::min(room, static_cast<std::size_t>(count)));
      } else if (count == 0 || errno != EINTR) {
        polls[i].fd = -1;
      }
    }
  }
  if (!result.timed_out) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        deadline - std::chrono::steady_clock::now());
    if (!child.wait_for(std::max(left, std::chrono::milliseconds(1)))) {
      result.timed_out = true;
      child.kill();
    }
  }
  result.status = child.wait();
  return result;
}

Protections examine_child(const ChildOptions& options, const std::filesystem::path& private_file) {
  struct Report {
    StartFailure failure{};
    Protections found;
  };
  ChildSetup setup(options);
  PipePair pipe = make_pipe();
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child < 0) throw_errno("start a child process");
  if (child == 0) {
    Report report;
    report.failure.number = setup.run({-1, -1, -1}, parent, &report.failure.step);
    report.found = setup.protections();
    report.found.opens_private_file = ::open(private_file.c_str(), O_RDONLY | O_CLOEXEC) >= 0;
    [[maybe_unused]] const ssize_t ignored = ::write(pipe.write.get(), &report, sizeof report);
    ::_exit(0);
  }
  pipe.write.reset();
  Report report;
  ssize_t count;
  do {
    count = ::read(pipe.read.get(), &report, sizeof report);
  } while (count < 0 && errno == EINTR);
  while (::waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
  }
  if (count != sizeof report) throw Error(ErrorCode::kIo, "a child process ended at its start");
  if (report.failure.number == 0) return report.found;
  throw Error(ErrorCode::kIo, std::string("a child process could not ") + report.failure.step +
                                  ": " + std::strerror(report.failure.number));
}

}  // namespace coppice
