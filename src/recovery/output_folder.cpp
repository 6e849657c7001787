#include "recovery/output_folder.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <utility>

#include "base/error.h"

namespace coppice::recovery {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kBufferBytes = 1 << 20;

fs::path without_slash(const fs::path& folder) {
  const fs::path whole = fs::absolute(folder).lexically_normal();
  return whole.has_filename() ? whole : whole.parent_path();
}

fs::path beside(const fs::path& folder) { return folder.string() + ".part"; }

void refuse_what_is_there(const fs::path& folder) {
  const fs::file_status status = fs::symlink_status(folder);
  if (!fs::exists(status)) return;
  if (fs::is_directory(status) && fs::is_empty(folder)) return;
  throw Error(ErrorCode::kRefused,
              fmt::format("{} is {}", folder.string(),
                          fs::is_directory(status) ? "not empty" : "no folder"),
              "name a folder that is not there yet");
}

}  // namespace

OutputFolder::OutputFolder(fs::path folder)
    : folder_(without_slash(folder)), part_(beside(folder_)) {
  refuse_what_is_there(folder_);
  if (::mkdir(part_.c_str(), 0700) != 0 && errno != EEXIST) throw_errno("make " + part_.string());
  lock_ = FileDescriptor(::open(part_.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!lock_) throw_errno("open " + part_.string());
  if (::flock(lock_.get(), LOCK_EX | LOCK_NB) != 0) {
    published_ = true;  // it is another's
    throw Error(ErrorCode::kBusy, fmt::format("another process writes to {}", folder_.string()),
                "wait for it, or name another folder");
  }
  for (const auto& entry : fs::directory_iterator(part_)) fs::remove_all(entry.path());
}

OutputFolder::~OutputFolder() {
  if (published_) return;
  std::error_code ignored;
  fs::remove_all(part_, ignored);
}

void OutputFolder::publish() {
  sync_folder(part_);
  if (::rename(part_.c_str(), folder_.c_str()) != 0) {
    throw_errno(fmt::format("rename {} to {}", part_.string(), folder_.string()));
  }
  published_ = true;
  sync_folder(folder_.parent_path());
}

OutputFile::OutputFile(const fs::path& file)
    : name_(file.string()),
      fd_(::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600)) {
  if (!fd_) throw_errno("make " + name_);
}

void OutputFile::write(std::string_view bytes) {
  buffer_ += bytes;
  size_bytes_ += bytes.size();
  if (buffer_.size() >= kBufferBytes) flush();
}

void OutputFile::cut_to(std::uint64_t size_bytes) {
  flush();
  const auto size = static_cast<off_t>(size_bytes);
  if (::ftruncate(fd_.get(), size) != 0 || ::lseek(fd_.get(), size, SEEK_SET) != size) {
    throw_errno("cut " + name_);
  }
  size_bytes_ = size_bytes;
}

void OutputFile::finish() {
  flush();
  if (::fsync(fd_.get()) != 0) throw_errno("write " + name_);
  fd_.reset();
}

void OutputFile::flush() {
  write_all(fd_.get(), buffer_, name_);
  buffer_.clear();
}

}  // namespace coppice::recovery
