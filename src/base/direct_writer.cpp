#include "base/direct_writer.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>
#include <utility>

#include "base/error.h"
#include "base/files.h"

namespace coppice {
namespace {

// Of memory, places in the file and sizes: no disk asks for more.
constexpr std::size_t kAlignment = 4096;

}  // namespace

DirectWriter::DirectWriter(int fd, std::string what)
    : fd_(fd),
      what_(std::move(what)),
      block_(static_cast<char*>(std::aligned_alloc(kAlignment, kDirectBlockBytes))) {
  if (!block_) throw std::bad_alloc();
  direct_ = set_direct(true);
}

bool DirectWriter::set_direct(bool direct) {
  const int flags = ::fcntl(fd_, F_GETFL);
  return flags >= 0 && ::fcntl(fd_, F_SETFL, direct ? flags | O_DIRECT : flags & ~O_DIRECT) == 0;
}

void DirectWriter::append(std::string_view bytes) {
  while (!bytes.empty()) {
    const std::size_t count = std::min(bytes.size(), kDirectBlockBytes - filled_);
    std::memcpy(block_.get() + filled_, bytes.data(), count);
    filled_ += count;
    bytes.remove_prefix(count);
    if (filled_ == kDirectBlockBytes) write_block();
  }
}

void DirectWriter::finish() {
  if (filled_ > 0) write_block();
}

void DirectWriter::write_block() {
  std::string_view left(block_.get(), std::exchange(filled_, 0));
  while (direct_ && left.size() >= kAlignment) {
    const ssize_t count = ::write(fd_, left.data(), left.size() / kAlignment * kAlignment);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno != EINVAL) throw_errno("write " + what_);
    if (count > 0) left.remove_prefix(static_cast<std::size_t>(count));
    // A part of it, on a disk that is full: what follows is not aligned any more.
    if (count < 0 || static_cast<std::size_t>(count) % kAlignment != 0) break;
  }
  if (left.empty()) return;
  if (direct_ && !set_direct(false)) throw_errno("write " + what_);
  direct_ = false;
  write_all(fd_, left, what_);
}

}  // namespace coppice
