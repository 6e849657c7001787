#include "cli/input_stream.h"

#include <unistd.h>

#include <cctype>
#include <cerrno>

#include "base/error.h"

namespace coppice::cli {

InputStream::InputStream(int fd, std::string name)
    : fd_(fd), name_(std::move(name)), buffer_(256 << 10), stream_(this) {
  // A bad stream rethrows what underflow() threw.
  stream_.exceptions(std::ios::badbit);
}

char InputStream::first_visible() {
  if (underflow() == traits_type::eof()) return '\0';
  for (const char* c = gptr(); c != egptr(); ++c) {
    if (std::isspace(static_cast<unsigned char>(*c)) == 0) return *c;
  }
  return '\0';
}

InputStream::int_type InputStream::underflow() {
  if (gptr() == egptr()) {
    const ssize_t size = ::read(fd_, buffer_.data(), buffer_.size());
    if (size < 0 && errno == EINTR) {
      throw Error(ErrorCode::kInterrupted, "interrupted while reading " + name_);
    }
    if (size < 0) throw_errno("read " + name_);
    if (size == 0) return traits_type::eof();
    setg(buffer_.data(), buffer_.data(), buffer_.data() + size);
  }
  return traits_type::to_int_type(*gptr());
}

}  // namespace coppice::cli
