#include "base/whole_file.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"

namespace coppice {

namespace fs = std::filesystem;

WholeFile::WholeFile(const fs::path& file) : file_(file) {
  struct stat facts {};
  const bool exists = ::stat(file.c_str(), &facts) == 0;
  if (exists && S_ISDIR(facts.st_mode)) {
    throw Error(ErrorCode::kUsage, file.string() + " is a folder", "give the name of a file");
  }
  if (exists && !S_ISREG(facts.st_mode)) {
    fd_ = FileDescriptor(::open(file.c_str(), O_WRONLY | O_CLOEXEC));
  } else {
    // Through a link, so that the link stays and its target is replaced.
    std::error_code ignored;
    if (exists) file_ = fs::canonical(file, ignored);
    partial_ = file_.string() + ".partial-" + std::to_string(::getpid());
    fd_ = FileDescriptor(::open(partial_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
    if (fd_ && exists && ::fchmod(fd_.get(), facts.st_mode & 07777) != 0) {
      ::unlink(partial_.c_str());
      throw_errno("set the mode of " + partial_.string());
    }
  }
  if (!fd_) {
    partial_.clear();
    throw_errno("write " + file.string());
  }
}

WholeFile::~WholeFile() {
  if (!partial_.empty()) ::unlink(partial_.c_str());
}

void WholeFile::commit() {
  if (partial_.empty()) return;
  if (::fsync(fd_.get()) != 0) throw_errno("write " + file_.string());
  if (::rename(partial_.c_str(), file_.c_str()) != 0) throw_errno("write " + file_.string());
  partial_.clear();
  const fs::path folder = file_.parent_path();
  sync_folder(folder.empty() ? fs::path(".") : folder);
}

}  // namespace coppice
