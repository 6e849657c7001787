// CurlEvents: tells a multi handle of libcurl which of its sockets are ready, and when its time has
// come, with epoll.
//
// Model    curl_multi_perform() asks the kernel about every socket each time; with many requests in
//          flight that is most of what they cost. Here only sockets that are ready are looked at.
// Threads  One thread at a time; wake() may be called from any.
// Errors   kInternal when the system has no descriptors left.
// Source   CURLMOPT_SOCKETFUNCTION, CURLMOPT_TIMERFUNCTION and curl_multi_socket_action of libcurl
#pragma once

#include <chrono>
#include <optional>

#include "base/files.h"

namespace coppice::internal {

// Handles of libcurl are void* and its sockets int, so that no header of ours includes its own.
class CurlEvents {
 public:
  // `multi` is borrowed, and outlives this object or is no longer used.
  explicit CurlEvents(void* multi);
  CurlEvents(const CurlEvents&) = delete;
  CurlEvents& operator=(const CurlEvents&) = delete;

  // What is due by time: requests that were just added begin.
  void run_timers();
  // Waits for sockets, libcurl's next time, wake() or `most`, and drives what is ready.
  void wait(std::chrono::milliseconds most);
  void wake() noexcept;

 private:
  using TimePoint = std::chrono::steady_clock::time_point;
  static int on_socket(void* easy, int socket, int what, void* self, void* known);
  static int on_timer(void* multi, long timeout_ms, void* self);
  void watch(int socket, int what) noexcept;
  void act(int socket, int ready);

  void* multi_;
  FileDescriptor epoll_;
  FileDescriptor wake_;
  std::optional<TimePoint> due_;
  bool failed_ = false;  // a socket could not be watched
};

}  // namespace coppice::internal
