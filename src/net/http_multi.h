// HttpMulti: many http(s) requests in flight, driven by one thread.
//
// Model    start() begins a request; wait() drives all of them and gives those that have ended,
//          each once. Nothing is tried again and no redirect is followed: a 3xx is an answer.
//          Connections are kept for the next requests, HTTP/2 is used where a server offers it.
// Units    Times are milliseconds; sizes are bytes.
// Threads  An object belongs to one thread at a time; wake() may be called from any.
// Errors   start() throws kInvalidInput for a URL or header that cannot be sent. How a request
// ended
//          is in its HttpEnd, never an exception.
// Source   libcurl's multi interface; proxies as HttpClient takes them.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "net/http_client.h"

namespace coppice {

struct HttpMultiOptions {
  std::chrono::milliseconds connect_timeout{10'000};
  std::uint64_t body_limit_bytes = std::uint64_t{32} << 20;
  long connection_count = 1024;  // kept at most
  std::string user_agent = "coppice";
};

enum class HttpOutcome {
  kAnswered,  // a whole answer, of any status
  kTimedOut,
  kBroken,    // not reached, or broken off: may succeed if tried again
  kTooLarge,  // the body went past the limit
  kFailed     // cannot succeed: a certificate that is not trusted, a malformed URL
};

struct HttpEnd {
  std::uint64_t id = 0;
  HttpOutcome outcome = HttpOutcome::kFailed;
  HttpResponse response;
  std::string reason;  // of what is no answer
  bool sent = false;   // something of the request has left: the server may have acted on it
};

class HttpMulti {
 public:
  explicit HttpMulti(HttpMultiOptions options);
  // Breaks off what is in flight.
  ~HttpMulti();
  HttpMulti(const HttpMulti&) = delete;
  HttpMulti& operator=(const HttpMulti&) = delete;

  // `id` is the caller's name for the request. A request's `sink` is not used.
  void start(std::uint64_t id, HttpRequest request, std::chrono::milliseconds timeout);
  // Returns once a request has ended, `most` has passed, or wake() was called.
  std::vector<HttpEnd> wait(std::chrono::milliseconds most);
  // From any thread: the running wait(), or else the next one, returns soon.
  void wake() noexcept;
  void cancel_all();
  std::size_t in_flight() const { return transfers_.size(); }

 private:
  struct Transfer;
  struct Handles;

  void collect(std::vector<HttpEnd>& ended);

  HttpMultiOptions options_;
  std::unique_ptr<Handles> handles_;
  std::map<void*, std::unique_ptr<Transfer>> transfers_;  // by libcurl's handle
};

}  // namespace coppice
