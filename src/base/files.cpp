#include "base/files.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <utility>

#include "base/error.h"

namespace coppice {

namespace fs = std::filesystem;

FileDescriptor& FileDescriptor::operator=(FileDescriptor&& other) noexcept {
  if (this != &other) {
    reset();
    fd_ = other.release();
  }
  return *this;
}

int FileDescriptor::release() { return std::exchange(fd_, -1); }

void FileDescriptor::reset() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

FileReader::FileReader(const fs::path& file)
    : path_(file), fd_(::open(file.c_str(), O_RDONLY | O_CLOEXEC)) {
  if (!fd_) throw_errno("open " + file.string());
}

std::size_t FileReader::read(char* buffer, std::size_t size_bytes) {
  for (;;) {
    const ssize_t count = ::read(fd_.get(), buffer, size_bytes);
    if (count >= 0) return static_cast<std::size_t>(count);
    if (errno != EINTR) throw_errno("read " + path_.string());
  }
}

std::string read_file(const fs::path& file) {
  FileReader reader(file);
  std::string content;
  std::string block(1 << 16, '\0');
  while (const std::size_t count = reader.read(block.data(), block.size())) {
    content.append(block, 0, count);
  }
  return content;
}

void write_all(int fd, std::string_view bytes, const std::string& what) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(fd, bytes.data(), bytes.size());
    if (count < 0) {
      if (errno == EINTR) continue;
      throw_errno("write " + what);
    }
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
}

void write_file_atomically(const fs::path& file, std::string_view bytes, mode_t mode) {
  std::string pattern = file.string() + ".XXXXXX";
  FileDescriptor fd(::mkostemp(pattern.data(), O_CLOEXEC));
  if (!fd) throw_errno("create " + pattern);
  try {
    write_all(fd.get(), bytes, pattern);
    if (::fchmod(fd.get(), mode) != 0) throw_errno("set the mode of " + pattern);
    if (::fsync(fd.get()) != 0) throw_errno("sync " + pattern);
    if (::rename(pattern.c_str(), file.c_str()) != 0) throw_errno("rename to " + file.string());
  } catch (...) {
    ::unlink(pattern.c_str());
    throw;
  }
  sync_folder(file.has_parent_path() ? file.parent_path() : fs::path("."));
}

void sync_folder(const fs::path& folder) {
  const FileDescriptor fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) throw_errno("open " + folder.string());
  if (::fsync(fd.get()) != 0) throw_errno("sync " + folder.string());
}

ScratchFolder::ScratchFolder(const fs::path& parent, std::string_view prefix) {
  std::string pattern = (parent / (std::string(prefix) + ".XXXXXX")).string();
  if (::mkdtemp(pattern.data()) == nullptr) throw_errno("create a folder under " + parent.string());
  path_ = pattern;
}

ScratchFolder::~ScratchFolder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

std::optional<FileDescriptor> try_lock_file(const fs::path& file) {
  FileDescriptor fd(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!fd) throw_errno("open " + file.string());
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) == 0) return fd;
  if (errno == EWOULDBLOCK) return std::nullopt;
  throw_errno("lock " + file.string());
}

}  // namespace coppice
