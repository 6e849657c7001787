#include "cli/file_output.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"

namespace coppice::cli {

namespace fs = std::filesystem;

FileOutput::FileOutput(const fs::path& file) : file_(file) {
  std::error_code ignored;
  if (fs::is_directory(file, ignored)) {
    throw Error(ErrorCode::kUsage, file.string() + " is a folder", "give the name of a file");
  }
  const bool exists = fs::exists(file, ignored);
  if (exists && !fs::is_regular_file(file, ignored)) {
    fd_ = FileDescriptor(::open(file.c_str(), O_WRONLY | O_CLOEXEC));
  } else {
    // Through a link, so that the link stays and its target is replaced.
    if (exists) file_ = fs::canonical(file, ignored);
    partial_ = file_.string() + ".partial-" + std::to_string(::getpid());
    fd_ = FileDescriptor(::open(partial_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
  }
  if (!fd_) {
    partial_.clear();
    throw_errno("write " + file.string());
  }
  output_.emplace(fd_.get(), file.string());
}

FileOutput::~FileOutput() {
  if (!partial_.empty()) ::unlink(partial_.c_str());
}

void FileOutput::commit() {
  output_->flush();
  if (partial_.empty()) return;
  if (::fsync(fd_.get()) != 0) throw_errno("write " + file_.string());
  if (::rename(partial_.c_str(), file_.c_str()) != 0) throw_errno("write " + file_.string());
  partial_.clear();
  const fs::path folder = file_.parent_path();
  sync_folder(folder.empty() ? fs::path(".") : folder);
}

}  // namespace coppice::cli
