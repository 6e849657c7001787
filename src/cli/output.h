// Output: a file descriptor with a large buffer in front of it.
//
// Model    write() only appends; bytes leave when the buffer is full or on flush(). When the reader
//          has gone (EPIPE) closed() turns true and bytes are dropped from then on: nobody misses
//          them. SIGPIPE must be ignored by the program.
// Errors   kDiskFull or kIo, naming what is written to; with kGiveUp none: what cannot be written
// is
//          dropped from then on, as for a reader that has gone.
// Threads  One thread at a time; Console serialises.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

namespace coppice::cli {

enum class WhenUnwritable { kThrow, kGiveUp };

class Output {
 public:
  Output(int fd, std::string name, WhenUnwritable policy = WhenUnwritable::kThrow)
      : fd_(fd), name_(std::move(name)), policy_(policy) {}
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;

  void write(std::string_view bytes) {
    buffer_.append(bytes);
    if (buffer_.size() >= kLimitBytes) flush();
  }
  void write(char c) { buffer_.push_back(c); }
  // The buffer itself, for printers that append piece by piece; call check() after each row.
  std::string& buffer() { return buffer_; }
  void check() {
    if (buffer_.size() >= kLimitBytes) flush();
  }
  void flush();
  // flush() when the last one was long enough ago: many small statements stay cheap, yet what a
  // slow one printed is seen.
  void flush_if_due();

  int fd() const { return fd_; }
  bool closed() const { return closed_; }

 private:
  static constexpr std::size_t kLimitBytes = 256 << 10;

  int fd_;
  std::string name_;
  WhenUnwritable policy_;
  std::string buffer_;
  bool closed_ = false;
  std::chrono::steady_clock::time_point last_flush_;
};

}  // namespace coppice::cli
