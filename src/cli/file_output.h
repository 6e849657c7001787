// FileOutput: a file that appears as a whole, or not at all.
//
// Model    Bytes go to a file of another name beside it, which commit() makes durable and renames.
//          Without commit() nothing is left behind. What is no regular file (a pipe, /dev/stdout)
//          is written directly.
// Errors   kNotFound, kDiskFull, kIo, naming the file.
// Threads  One thread.
#pragma once

#include <filesystem>
#include <optional>

#include "base/files.h"
#include "cli/output.h"

namespace coppice::cli {

class FileOutput {
 public:
  explicit FileOutput(const std::filesystem::path& file);
  ~FileOutput();
  FileOutput(const FileOutput&) = delete;
  FileOutput& operator=(const FileOutput&) = delete;

  Output& output() { return *output_; }
  void commit();

 private:
  std::filesystem::path file_;
  std::filesystem::path partial_;  // empty when written directly or committed
  FileDescriptor fd_;
  std::optional<Output> output_;
};

}  // namespace coppice::cli
