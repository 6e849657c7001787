#include "workers/worker_process.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "base/error.h"
#include "base/text.h"

namespace coppice {
namespace {

constexpr std::size_t kErrorsKeptBytes = 8 << 10;
// What one receive() takes at most, so that a worker that floods us does not starve the others.
constexpr std::size_t kReceiveBytes = 1 << 18;

// A write to a worker that has died must be an error, not a SIGPIPE that ends this process; and
// the program that uses this library may want SIGPIPE for its own output.
class SigpipeBlocked {
 public:
  SigpipeBlocked() {
    sigemptyset(&pipe_only_);
    sigaddset(&pipe_only_, SIGPIPE);
    sigset_t pending;
    sigpending(&pending);
    was_pending_ = sigismember(&pending, SIGPIPE) == 1;
    ::pthread_sigmask(SIG_BLOCK, &pipe_only_, &before_);
  }
  ~SigpipeBlocked() {
    if (raised_ && !was_pending_) {
      const timespec now{};
      while (::sigtimedwait(&pipe_only_, nullptr, &now) < 0 && errno == EINTR) {
      }
    }
    ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  void set_raised() { raised_ = true; }

 private:
  sigset_t pipe_only_;
  sigset_t before_;
  bool was_pending_ = false;
  bool raised_ = false;
};

void set_non_blocking(int fd) {
  const int flags = ::fcntl(fd, F_GETFL);
  if (flags < 0 || ::fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0) {
    throw_errno("prepare the pipes of a function worker");
  }
}

}  // namespace

WorkerProcess::WorkerProcess(ChildProcess child, const EngineHello& hello)
    : child_(std::move(child)) {
  set_non_blocking(child_.input_fd());
  set_non_blocking(child_.output_fd());
  set_non_blocking(child_.errors_fd());
  // Best effort: a larger pipe saves switches between the processes.
  ::fcntl(child_.output_fd(), F_SETPIPE_SZ, 1 << 18);
  append_frame(outgoing_, hello);
  flush();  // a new pipe takes it at once; if it has died already, receive() will say so
}

bool WorkerProcess::flush() {
  SigpipeBlocked blocked;
  while (has_outgoing()) {
    const ssize_t count =
        ::write(child_.input_fd(), outgoing_.data() + sent_, outgoing_.size() - sent_);
    if (count >= 0) {
      sent_ += static_cast<std::size_t>(count);
    } else if (errno == EPIPE) {
      blocked.set_raised();
      return false;
    } else if (errno == EAGAIN) {
      return true;
    } else if (errno != EINTR) {
      return false;
    }
  }
  outgoing_.clear();
  sent_ = 0;
  return true;
}

bool WorkerProcess::receive() {
  std::array<char, 1 << 16> block;
  for (std::size_t total = 0; total < kReceiveBytes;) {
    const ssize_t count = ::read(child_.output_fd(), block.data(), block.size());
    if (count > 0) {
      frames_.append({block.data(), static_cast<std::size_t>(count)});
      total += static_cast<std::size_t>(count);
      if (static_cast<std::size_t>(count) < block.size()) return true;
    } else if (count == 0) {
      output_open_ = false;
      return false;
    } else if (errno != EINTR) {
      return errno == EAGAIN;
    }
  }
  return true;
}

void WorkerProcess::drain_errors() {
  std::array<char, 1 << 12> block;
  for (std::size_t total = 0; errors_open_ && total < kReceiveBytes;) {
    const ssize_t count = ::read(child_.errors_fd(), block.data(), block.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EAGAIN) break;
    if (count <= 0) {
      errors_open_ = false;
      break;
    }
    total += static_cast<std::size_t>(count);
    errors_.append(block.data(), static_cast<std::size_t>(count));
    if (errors_.size() > 2 * kErrorsKeptBytes) errors_.erase(0, errors_.size() - kErrorsKeptBytes);
  }
}

std::optional<Message> WorkerProcess::next_message() {
  const std::optional<std::string_view> body = frames_.next();
  if (!body) return std::nullopt;
  return decode_message(*body, true);
}

bool WorkerProcess::broken_while_idle() {
  drain_errors();
  if (!ready_) return false;
  pollfd waiting{child_.output_fd(), POLLIN, 0};
  return ::poll(&waiting, 1, 0) != 0;
}

std::string WorkerProcess::end() {
  // One whose pipe has just closed gets a moment to end with an exit status of its own.
  if (output_open_ || !child_.wait_for(std::chrono::milliseconds(100))) child_.kill();
  const ExitStatus status = child_.wait();
  drain_errors();
  if (status.signal != 0) {
    return fmt::format("was killed by signal {} ({})", status.signal, ::strsignal(status.signal));
  }
  return fmt::format("ended with exit code {}", status.code);
}

std::string WorkerProcess::last_words() const {
  std::string_view tail = errors_;
  if (tail.size() > kErrorsKeptBytes) tail.remove_prefix(tail.size() - kErrorsKeptBytes);
  std::string printable;
  for (const char c : trim(tail)) {
    const bool plain = (c >= 0x20 && c < 0x7f) || c == '\n' || c == '\t';
    printable.push_back(plain ? c : '?');
  }
  return printable;
}

}  // namespace coppice
