// Files: durable writes, whole reads, scratch folders and lock files.
//
// Errors   Everything throws Error: kNotFound, kDiskFull or kIo, naming the path.
// Threads  Free functions are safe anywhere; an object belongs to one thread at a time.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace coppice {

// A file descriptor that closes itself.
class FileDescriptor {
 public:
  FileDescriptor() = default;
  explicit FileDescriptor(int fd) : fd_(fd) {}
  FileDescriptor(FileDescriptor&& other) noexcept : fd_(other.release()) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept;
  ~FileDescriptor() { reset(); }

  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  int release();
  void reset();

 private:
  int fd_ = -1;
};

// Reads a file from its start to its end.
class FileReader {
 public:
  explicit FileReader(const std::filesystem::path& file);
  // Up to `size_bytes`; 0 at the end.
  std::size_t read(char* buffer, std::size_t size_bytes);

 private:
  std::filesystem::path path_;
  FileDescriptor fd_;
};

std::string read_file(const std::filesystem::path& file);

// Writes all of `bytes` to a descriptor, whatever the number of calls it takes.
void write_all(int fd, std::string_view bytes, const std::string& what);

// Replaces the file as a whole, durably: readers see the old content or the new, never a part.
void write_file_atomically(const std::filesystem::path& file, std::string_view bytes,
                           mode_t mode = 0600);

// Makes what was created, renamed or removed in a folder durable.
void sync_folder(const std::filesystem::path& folder);

// A folder with a name of its own under `parent`, removed with its content at the end.
class ScratchFolder {
 public:
  explicit ScratchFolder(const std::filesystem::path& parent, std::string_view prefix = "scratch");
  ~ScratchFolder();
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

// An advisory lock on a file (flock): held until destroyed, released by the kernel when the
// process dies. nullopt when somebody else holds it.
std::optional<FileDescriptor> try_lock_file(const std::filesystem::path& file);

}  // namespace coppice
