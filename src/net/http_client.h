// HttpClient: http(s) requests with limits, retries and no surprises.
//
// Model    send() performs one request. The body of a 2xx answer goes to the request's sink piece
//          by piece, or into HttpResponse::body when there is none; other answers' bodies are kept
//          up to 64 KiB for messages. 408, 425, 429, 500, 502, 503, 504 and broken transfers are
//          tried again with jitter, after what Retry-After asks for; before each attempt the sink
//          is reset. Redirects are followed to http and https only.
// Units    Times are milliseconds; sizes are bytes of the body as transferred.
// Threads  Every method may be called from any thread; connections are kept and shared.
// Errors   An answer of any status is a result, not an error. kUnavailable: no complete answer
//          after all attempts. kInvalidInput: a malformed or foreign URL, a body above the limit,
//          too many redirects. kInterrupted: stop was requested. What a sink throws passes through.
// Source   RFC 9110; proxies as curl takes them from the environment (https_proxy, no_proxy, …).
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"

namespace coppice {

// Takes a body as it arrives.
class HttpSink {
 public:
  virtual ~HttpSink() = default;
  // Forgets everything taken so far: a new attempt begins.
  virtual void reset() = 0;
  virtual void take(std::string_view bytes) = 0;
};

struct HttpRequest {
  std::string method = "GET";
  std::string url;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;          // sent when it is not empty, or the method is PUT or POST
  HttpSink* sink = nullptr;  // outlives send()
};

struct HttpResponse {
  int status = 0;
  std::multimap<std::string, std::string> headers;  // names in lower case; of the last answer
  std::string effective_url;                        // after redirects
  std::string body;
  std::uint64_t body_bytes = 0;

  // The first header of that (lower-case) name, or empty.
  std::string header(const std::string& name) const;
  bool ok() const { return status >= 200 && status < 300; }
};

struct HttpOptions {
  std::chrono::milliseconds connect_timeout{10'000};
  // A transfer below 1 byte per second for so long is broken.
  std::chrono::milliseconds stall_timeout{30'000};
  std::chrono::milliseconds total_timeout{3'600'000};  // of one attempt
  std::chrono::milliseconds first_backoff{200};
  std::chrono::milliseconds most_backoff{10'000};
  std::uint64_t body_limit_bytes = std::uint64_t{16} << 30;
  int attempt_count = 5;
  int redirect_limit = 10;
  std::string user_agent = "coppice";
};

class HttpClient {
 public:
  // `clock` is borrowed and paces the retries.
  HttpClient(HttpOptions options, const Clock& clock);
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  HttpResponse send(const HttpRequest& request, std::stop_token stop = {});
  const HttpOptions& options() const { return options_; }

 private:
  class Handles;
  struct Attempt;

  void try_once(const HttpRequest& request, const std::stop_token& stop, Attempt& attempt);
  void pause(int attempt, const HttpResponse& response, const std::stop_token& stop) const;

  HttpOptions options_;
  const Clock& clock_;
  std::unique_ptr<Handles> handles_;
};

// The URL without user name, password, query and fragment: fit for a message or a log.
std::string printable_url(std::string_view url);

}  // namespace coppice
