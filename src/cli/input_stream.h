// InputStream: a file descriptor as a std::istream that never takes an error for an end.
//
// Model    A failed or interrupted read throws its Error out of the stream's functions, so that
// half
//          an input cannot pass for a whole one.
// Errors   kIo; kInterrupted when a signal came.
// Threads  One thread.
#pragma once

#include <istream>
#include <streambuf>
#include <string>
#include <vector>

namespace coppice::cli {

class InputStream : private std::streambuf {
 public:
  InputStream(int fd, std::string name);

  std::istream& stream() { return stream_; }
  // The first character that is no white space, without taking it; '\0' at the end of the input.
  char first_visible();

 private:
  int_type underflow() override;

  int fd_;
  std::string name_;
  std::vector<char> buffer_;
  std::istream stream_;
};

}  // namespace coppice::cli
