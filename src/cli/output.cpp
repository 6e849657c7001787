#include "cli/output.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>

#include "base/error.h"

namespace coppice::cli {

void Output::flush() {
  last_flush_ = std::chrono::steady_clock::now();
  std::string_view rest = buffer_;
  while (!rest.empty() && !closed_) {
    const ssize_t written = ::write(fd_, rest.data(), rest.size());
    if (written >= 0) {
      rest.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno == EPIPE) {
      closed_ = true;
    } else if (errno == EAGAIN) {
      pollfd wait = {.fd = fd_, .events = POLLOUT, .revents = 0};
      ::poll(&wait, 1, -1);
    } else if (errno != EINTR && policy_ == WhenUnwritable::kGiveUp) {
      closed_ = true;
    } else if (errno != EINTR) {
      buffer_.clear();
      throw_errno("write to " + name_);
    }
  }
  buffer_.clear();
}

void Output::flush_if_due() {
  constexpr std::chrono::milliseconds kInterval(100);
  if (std::chrono::steady_clock::now() - last_flush_ >= kInterval) flush();
}

}  // namespace coppice::cli
