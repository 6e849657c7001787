#include "net/testing/parallel_http_server.h"

#include <arpa/inet.h>
#include <fmt/core.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <sstream>

#include "base/error.h"
#include "base/text.h"

namespace coppice {

ParallelHttpServer::ParallelHttpServer(Handler handler) : handler_(std::move(handler)) {
  // A proxy of the environment knows nothing of this machine's loopback.
  ::setenv("no_proxy", "127.0.0.1", 1);
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  if (listener_ < 0 || ::bind(listener_, generic, size) != 0 || ::listen(listener_, 512) != 0 ||
      ::getsockname(listener_, generic, &size) != 0) {
    throw_errno("listen on 127.0.0.1");
  }
  port_ = ntohs(address.sin_port);
  acceptor_ = std::thread([this] { run(); });
}

ParallelHttpServer::~ParallelHttpServer() {
  ending_ = true;
  acceptor_.join();
  for (std::thread& thread : threads_) thread.join();
  ::close(listener_);
}

std::string ParallelHttpServer::url(const std::string& path) const {
  return fmt::format("http://127.0.0.1:{}{}", port_, path);
}

std::string ParallelHttpServer::answer(const std::string& status, const std::string& body,
                                       const std::string& more_headers) {
  return fmt::format("HTTP/1.1 {}\r\nContent-Length: {}\r\n{}\r\n{}", status, body.size(),
                     more_headers, body);
}

void ParallelHttpServer::run() {
  while (!ending_) {
    pollfd waiting{listener_, POLLIN, 0};
    if (::poll(&waiting, 1, 20) <= 0) continue;
    const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) continue;
    const int on = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    ++connections_;
    threads_.emplace_back([this, fd] { serve(fd); });
  }
}

void ParallelHttpServer::serve(int fd) {
  std::string bytes;
  while (!ending_ && serve_one(fd, bytes)) {
  }
  ::close(fd);
}

// False when the connection is to be closed.
bool ParallelHttpServer::serve_one(int fd, std::string& bytes) {
  ReceivedRequest request;
  std::size_t head_end = std::string::npos, size = std::string::npos;
  std::array<char, 16384> block;
  while (bytes.size() < size) {
    head_end = bytes.find("\r\n\r\n");
    if (size == std::string::npos && head_end != std::string::npos) {
      std::istringstream head(bytes.substr(0, head_end));
      head >> request.method >> request.path;
      std::string line;
      std::getline(head, line);
      while (std::getline(head, line)) {
        const std::size_t colon = line.find(':');
        if (colon == std::string::npos) continue;
        request.headers[lower(line.substr(0, colon))] = trim(line.substr(colon + 1));
      }
      size = head_end + 4 +
             static_cast<std::size_t>(std::atoll(request.headers["content-length"].c_str()));
      continue;
    }
    pollfd waiting{fd, POLLIN, 0};
    if (ending_) return false;
    if (::poll(&waiting, 1, 20) <= 0) continue;
    const ssize_t count = ::recv(fd, block.data(), block.size(), 0);
    if (count <= 0) return false;
    bytes.append(block.data(), static_cast<std::size_t>(count));
  }
  request.body = bytes.substr(head_end + 4, size - head_end - 4);
  bytes.erase(0, size);
  ++requests_;
  const int running = ++at_once_;
  for (int most = most_at_once_; running > most;) {
    if (most_at_once_.compare_exchange_weak(most, running)) break;
  }
  const std::string out = handler_(request);
  --at_once_;
  if (out.empty()) return false;
  if (::send(fd, out.data(), out.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(out.size())) {
    return false;
  }
  return out.find("Connection: close") == std::string::npos;
}

}  // namespace coppice
