#include "base/clock.h"

#include <sys/random.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <thread>

#include "base/error.h"

namespace coppice {

std::int64_t SystemClock::now_us() const {
  return std::chrono::duration_cast<std::chrono::microseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

void SystemClock::sleep(std::chrono::milliseconds duration) const {
  std::this_thread::sleep_for(duration);
}

std::string random_bytes(std::size_t size_bytes) {
  std::string bytes(size_bytes, '\0');
  std::size_t filled = 0;
  while (filled < size_bytes) {
    const ssize_t count = ::getrandom(bytes.data() + filled, size_bytes - filled, 0);
    if (count < 0 && errno != EINTR) throw_errno("read random bytes");
    if (count > 0) filled += static_cast<std::size_t>(count);
  }
  return bytes;
}

std::chrono::milliseconds backoff(int attempt, std::chrono::milliseconds first,
                                  std::chrono::milliseconds most) {
  const int doublings = std::min(attempt - 1, 20);
  const std::int64_t full = std::min<std::int64_t>(most.count(), first.count() << doublings);
  std::uint32_t draw = 0;
  std::memcpy(&draw, random_bytes(sizeof draw).data(), sizeof draw);
  return std::chrono::milliseconds(full / 2 + draw % (full / 2 + 1));
}

}  // namespace coppice
