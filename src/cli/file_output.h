// FileOutput: an Output into a file that appears as a whole, or not at all (base/whole_file.h).
//
// Errors   Those of WholeFile and Output.
// Threads  One thread.
#pragma once

#include <filesystem>

#include "base/whole_file.h"
#include "cli/output.h"

namespace coppice::cli {

class FileOutput {
 public:
  explicit FileOutput(const std::filesystem::path& file)
      : file_(file), output_(file_.fd(), file.string()) {}

  Output& output() { return output_; }
  void commit() {
    output_.flush();
    file_.commit();
  }

 private:
  WholeFile file_;
  Output output_;
};

}  // namespace coppice::cli
