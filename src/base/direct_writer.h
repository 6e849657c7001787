// DirectWriter: fills a new file around the page cache.
//
// Model    Large files that nobody reads soon would push out of the page cache what is needed, and
//          are copied once more on their way. Where a file system or the place in the file does not
//          allow it, the bytes are written as others are.
// Units    A buffer of kDirectBlockBytes while it lives.
// Threads  Belongs to one thread.
// Errors   As write_all().
// Source   open(2), O_DIRECT
#pragma once

#include <cstddef>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

namespace coppice {

inline constexpr std::size_t kDirectBlockBytes = std::size_t{1} << 20;

class DirectWriter {
 public:
  // `fd` is borrowed, open for writing and at its end. `what` is for errors.
  DirectWriter(int fd, std::string what);
  DirectWriter(const DirectWriter&) = delete;
  DirectWriter& operator=(const DirectWriter&) = delete;

  void append(std::string_view bytes);
  // What is left. Without it the file lacks its end. Durable after fsync(), as always.
  void finish();

 private:
  struct Free {
    void operator()(char* block) const { std::free(block); }
  };
  void write_block();
  bool set_direct(bool direct);

  const int fd_;
  const std::string what_;
  std::unique_ptr<char, Free> block_;
  std::size_t filled_ = 0;  // of the block
  bool direct_ = false;
};

}  // namespace coppice
