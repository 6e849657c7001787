// WholeFile: a file that appears as a whole, or not at all.
//
// Model    Bytes go to a file of another name beside it, which commit() makes durable and renames;
//          a file that is replaced gives its mode to the new one. Without commit() nothing is left
//          behind and what was there stays. What is no regular file (a pipe, /dev/stdout) is
//          written directly.
// Errors   kUsage for a folder; kNotFound, kDiskFull, kIo, naming the file.
// Threads  One thread.
#pragma once

#include <filesystem>

#include "base/files.h"

namespace coppice {

class WholeFile {
 public:
  explicit WholeFile(const std::filesystem::path& file);
  ~WholeFile();
  WholeFile(const WholeFile&) = delete;
  WholeFile& operator=(const WholeFile&) = delete;

  int fd() const { return fd_.get(); }
  void commit();

 private:
  std::filesystem::path file_;
  std::filesystem::path partial_;  // empty when written directly or committed
  FileDescriptor fd_;
};

}  // namespace coppice
