#include "net/testing/http_server.h"

#include <arpa/inet.h>
#include <fmt/core.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <sstream>

#include "base/error.h"
#include "base/text.h"

namespace coppice {

TestHttpServer::TestHttpServer() {
  // A proxy of the environment knows nothing of this machine's loopback.
  ::setenv("no_proxy", "127.0.0.1", 1);
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  if (listener_ < 0 || ::bind(listener_, generic, size) != 0 || ::listen(listener_, 64) != 0 ||
      ::getsockname(listener_, generic, &size) != 0) {
    throw_errno("listen on 127.0.0.1");
  }
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { run(); });
}

TestHttpServer::~TestHttpServer() {
  ending_ = true;
  thread_.join();
  ::close(listener_);
}

void TestHttpServer::handle(const std::string& path, Handler handler) {
  const std::lock_guard lock(mutex_);
  handlers_[path] = std::move(handler);
}

std::string TestHttpServer::url(const std::string& path) const {
  return fmt::format("http://127.0.0.1:{}{}", port_, path);
}

int TestHttpServer::count(const std::string& path) const {
  const std::lock_guard lock(mutex_);
  const auto found = counts_.find(path);
  return found == counts_.end() ? 0 : found->second;
}

ReceivedRequest TestHttpServer::last_request() const {
  const std::lock_guard lock(mutex_);
  return last_;
}

std::string TestHttpServer::answer(const std::string& status, const std::string& body,
                                   const std::string& more_headers) {
  return fmt::format("HTTP/1.1 {}\r\nContent-Length: {}\r\nConnection: close\r\n{}\r\n{}", status,
                     body.size(), more_headers, body);
}

void TestHttpServer::run() {
  while (!ending_) {
    pollfd waiting{listener_, POLLIN, 0};
    if (::poll(&waiting, 1, 20) <= 0) continue;
    const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) continue;
    serve(fd);
    ::close(fd);
  }
}

void TestHttpServer::serve(int fd) {
  std::string bytes;
  std::array<char, 4096> block;
  std::size_t head_end = std::string::npos;
  ReceivedRequest request;
  std::size_t body_size = 0;
  while (head_end == std::string::npos || bytes.size() < head_end + 4 + body_size) {
    const ssize_t count = ::recv(fd, block.data(), block.size(), 0);
    if (count <= 0) return;
    bytes.append(block.data(), static_cast<std::size_t>(count));
    if (head_end != std::string::npos || (head_end = bytes.find("\r\n\r\n")) == std::string::npos)
      continue;
    std::istringstream head(bytes.substr(0, head_end));
    head >> request.method >> request.path;
    std::string line;
    std::getline(head, line);
    while (std::getline(head, line)) {
      const std::size_t colon = line.find(':');
      if (colon == std::string::npos) continue;
      request.headers[lower(line.substr(0, colon))] = trim(line.substr(colon + 1));
    }
    body_size = static_cast<std::size_t>(std::atoll(request.headers["content-length"].c_str()));
  }
  request.body = bytes.substr(head_end + 4);
  Handler handler;
  {
    const std::lock_guard lock(mutex_);
    ++counts_[request.path];
    last_ = request;
    const auto found = handlers_.find(request.path);
    if (found != handlers_.end()) handler = found->second;
  }
  const Write write = [&](const std::string& out) {
    return ::send(fd, out.data(), out.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(out.size());
  };
  if (handler) {
    handler(request, write);
  } else {
    write(answer("404 Not Found", "there is nothing here"));
  }
}

}  // namespace coppice
