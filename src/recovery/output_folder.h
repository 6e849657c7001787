// OutputFolder: a folder of files that is there as a whole, or not at all.
//
// Model    Files are written to <folder>.part, which publish() renames when all of it is durable.
//          What a killed process has left there is removed by the next one.
// Threads  One thread.
// Errors   kRefused for a folder that is there and not empty, kBusy while another process writes to
//          it; kDiskFull, kIo. Nothing is left then.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "base/files.h"

namespace coppice::recovery {

class OutputFolder {
 public:
  explicit OutputFolder(std::filesystem::path folder);
  ~OutputFolder();
  OutputFolder(const OutputFolder&) = delete;
  OutputFolder& operator=(const OutputFolder&) = delete;

  // Where files are written until then.
  const std::filesystem::path& part() const { return part_; }
  void publish();

 private:
  const std::filesystem::path folder_;
  const std::filesystem::path part_;
  FileDescriptor lock_;
  bool published_ = false;
};

// A new file that is written from its start to its end.
class OutputFile {
 public:
  explicit OutputFile(const std::filesystem::path& file);
  void write(std::string_view bytes);
  // Forgets what is behind.
  void cut_to(std::uint64_t size_bytes);
  // Durable once this returns.
  void finish();
  std::uint64_t size_bytes() const { return size_bytes_; }

 private:
  void flush();

  const std::string name_;
  FileDescriptor fd_;
  std::string buffer_;
  std::uint64_t size_bytes_ = 0;
};

}  // namespace coppice::recovery
