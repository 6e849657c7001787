// TestHttpServer: an HTTP server on 127.0.0.1 that answers as a test tells it to, faults included.
//
// Model    Each path has a handler that writes raw bytes; a connection serves one request.
// Threads  Handlers run on the server's thread, one at a time.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace coppice {

struct ReceivedRequest {
  std::string method;
  std::string path;
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;
};

class TestHttpServer {
 public:
  using Write = std::function<bool(const std::string& bytes)>;  // false when the client has gone
  using Handler = std::function<void(const ReceivedRequest&, const Write&)>;

  TestHttpServer();
  ~TestHttpServer();

  // Set before the first request of that path.
  void handle(const std::string& path, Handler handler);
  std::string url(const std::string& path) const;
  // How many requests of that path came.
  int count(const std::string& path) const;
  ReceivedRequest last_request() const;

  // A whole answer with its Content-Length.
  static std::string answer(const std::string& status, const std::string& body,
                            const std::string& more_headers = "");

 private:
  void run();
  void serve(int fd);

  int listener_ = -1;
  int port_ = 0;
  std::atomic<bool> ending_ = false;
  mutable std::mutex mutex_;
  std::map<std::string, Handler> handlers_;
  std::map<std::string, int> counts_;
  ReceivedRequest last_;
  std::thread thread_;
};

}  // namespace coppice
