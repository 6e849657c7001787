// ParallelHttpServer: an HTTP server on 127.0.0.1 that answers many requests at the same time.
//
// Model    One handler for all paths, which gives the bytes of a whole answer, faults included; a
//          thread a connection, connections are kept unless an answer says "Connection: close" or
//          is empty (then nothing is sent). For what TestHttpServer, one request at a time, cannot
//          show.
// Threads  The handler is called from many threads at once.
#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "net/testing/http_server.h"

namespace coppice {

class ParallelHttpServer {
 public:
  using Handler = std::function<std::string(const ReceivedRequest&)>;

  explicit ParallelHttpServer(Handler handler);
  ~ParallelHttpServer();
  ParallelHttpServer(const ParallelHttpServer&) = delete;
  ParallelHttpServer& operator=(const ParallelHttpServer&) = delete;

  std::string url(const std::string& path = "") const;
  int request_count() const { return requests_; }
  int connection_count() const { return connections_; }
  int most_at_once() const { return most_at_once_; }

  // A whole answer that keeps the connection.
  static std::string answer(const std::string& status, const std::string& body,
                            const std::string& more_headers = "");

 private:
  void run();
  void serve(int fd);
  bool serve_one(int fd, std::string& bytes);

  Handler handler_;
  int listener_ = -1;
  int port_ = 0;
  std::atomic<bool> ending_ = false;
  std::atomic<int> requests_ = 0, connections_ = 0, at_once_ = 0, most_at_once_ = 0;
  std::mutex mutex_;
  std::vector<std::thread> threads_;
  std::thread acceptor_;
};

}  // namespace coppice
