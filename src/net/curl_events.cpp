#include "net/curl_events.h"

#include <curl/curl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>

#include "base/error.h"

namespace coppice::internal {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

CurlEvents::CurlEvents(void* multi)
    : multi_(multi),
      epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = wake_.get();
  if (!epoll_ || !wake_ || ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, wake_.get(), &event) != 0) {
    throw_errno("watch the sockets of requests");
  }
  curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, &CurlEvents::on_socket);
  curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, this);
  curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, &CurlEvents::on_timer);
  curl_multi_setopt(multi, CURLMOPT_TIMERDATA, this);
}

// Nothing may be thrown through libcurl.
int CurlEvents::on_socket(void*, int socket, int what, void* self, void*) {
  static_cast<CurlEvents*>(self)->watch(socket, what);
  return 0;
}

int CurlEvents::on_timer(void*, long timeout_ms, void* self) {
  std::optional<TimePoint>& due = static_cast<CurlEvents*>(self)->due_;
  due.reset();
  if (timeout_ms >= 0) due = steady_clock::now() + milliseconds(timeout_ms);
  return 0;
}

void CurlEvents::watch(int socket, int what) noexcept {
  epoll_event event{};
  event.data.fd = socket;
  if (what == CURL_POLL_REMOVE) {
    // It may be closed already, and then it is no longer watched.
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, socket, &event);
    return;
  }
  if ((what & CURL_POLL_IN) != 0) event.events |= EPOLLIN;
  if ((what & CURL_POLL_OUT) != 0) event.events |= EPOLLOUT;
  // A socket that was closed and opened again under its number is a new one to the kernel.
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, socket, &event) == 0) return;
  if (errno == ENOENT && ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, socket, &event) == 0) return;
  failed_ = true;
}

void CurlEvents::act(int socket, int ready) {
  int running = 0;
  const CURLMcode code = curl_multi_socket_action(multi_, socket, ready, &running);
  if (code != CURLM_OK || failed_) {
    failed_ = false;
    throw Error(ErrorCode::kInternal, "the sockets of requests cannot be watched",
                "are there too many open files? ulimit -n");
  }
}

void CurlEvents::run_timers() {
  if (!due_ || *due_ > steady_clock::now()) return;
  due_.reset();
  act(CURL_SOCKET_TIMEOUT, 0);
}

void CurlEvents::wait(milliseconds most) {
  if (due_) {
    const auto left = std::chrono::ceil<milliseconds>(*due_ - steady_clock::now());
    most = std::clamp(left, milliseconds(0), most);
  }
  std::array<epoll_event, 64> events{};
  const int count = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()),
                                 static_cast<int>(most.count()));
  if (count < 0 && errno != EINTR) throw_errno("wait for the sockets of requests");
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = events[static_cast<std::size_t>(i)];
    if (event.data.fd == wake_.get()) {
      std::uint64_t told = 0;
      while (::read(wake_.get(), &told, sizeof told) < 0 && errno == EINTR) {
      }
      continue;
    }
    int ready = 0;
    if ((event.events & (EPOLLIN | EPOLLHUP)) != 0) ready |= CURL_CSELECT_IN;
    if ((event.events & EPOLLOUT) != 0) ready |= CURL_CSELECT_OUT;
    if ((event.events & EPOLLERR) != 0) ready |= CURL_CSELECT_ERR;
    act(event.data.fd, ready);
  }
  run_timers();
}

void CurlEvents::wake() noexcept {
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = ::write(wake_.get(), &one, sizeof one);
}

}  // namespace coppice::internal
