#include "recovery/take_folder.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/core.h>
#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <ctime>

#include "base/crash_point.h"
#include "base/error.h"
#include "base/files.h"
#include "repo/parallel.h"

namespace coppice::recovery {
namespace {

constexpr std::size_t kReadBytes = 256 << 10;
constexpr std::size_t kStepEntries = 1024;
constexpr int kMostDepth = 400;  // a descriptor each
constexpr std::int64_t kSecondNs = 1'000'000'000;
// Clocks of file systems may be so coarse, and so far from ours.
constexpr std::int64_t kFreshNs = kSecondNs;
constexpr int kAttempts = 2;

std::int64_t nanoseconds(const timespec& time) {
  return std::int64_t{time.tv_sec} * kSecondNs + time.tv_nsec;
}

std::int64_t now_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return nanoseconds(now);
}

std::string reason() { return std::strerror(errno); }

struct CloseFolder {
  void operator()(DIR* folder) const { ::closedir(folder); }
};

// Sorted by their bytes.
std::vector<std::string> names_in(int folder) {
  const int again = ::openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const std::unique_ptr<DIR, CloseFolder> open(again < 0 ? nullptr : ::fdopendir(again));
  if (!open) throw_errno("list the folder");
  std::vector<std::string> names;
  for (errno = 0; const dirent* entry = ::readdir(open.get()); errno = 0) {
    const std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(name);
  }
  if (errno != 0) throw_errno("list the folder");
  std::sort(names.begin(), names.end());
  return names;
}

const char* special_kind(mode_t mode) {
  if (S_ISSOCK(mode)) return "a socket";
  if (S_ISFIFO(mode)) return "a named pipe";
  if (S_ISBLK(mode) || S_ISCHR(mode)) return "a device";
  return nullptr;
}

bool is_same_file(const struct stat& one, const struct stat& other) {
  return one.st_ino == other.st_ino && one.st_dev == other.st_dev && one.st_size == other.st_size &&
         nanoseconds(one.st_mtim) == nanoseconds(other.st_mtim) &&
         nanoseconds(one.st_ctim) == nanoseconds(other.st_ctim);
}

// ENAMETOOLONG cannot be: the name came from the folder.
std::string link_target(int folder, const std::string& name) {
  std::array<char, 4096> target;
  const ssize_t length = ::readlinkat(folder, name.c_str(), target.data(), target.size());
  if (length < 0) throw_errno("read the link");
  return {target.data(), static_cast<std::size_t>(length)};
}

void take_status(const struct stat& status, FileEntry& entry) {
  entry.kind = S_ISDIR(status.st_mode)   ? FileKind::kFolder
               : S_ISLNK(status.st_mode) ? FileKind::kLink
                                         : FileKind::kFile;
  entry.mode = status.st_mode & 07777;
  entry.uid = status.st_uid;
  entry.gid = status.st_gid;
  entry.modified_ns = nanoseconds(status.st_mtim);
  if (entry.kind != FileKind::kFile) return;
  entry.changed_ns = nanoseconds(status.st_ctim);
  entry.inode = status.st_ino;
  entry.device = status.st_nlink > 1 ? status.st_dev : 0;
  entry.is_sparse = status.st_blocks * 512 < status.st_size;
  entry.is_fresh = now_ns() - entry.changed_ns < kFreshNs;
}

}  // namespace

// The entries of a folder in an earlier backup, asked for in the order of their names. What of it
// cannot be read is as if it had never been.
class FolderTaker::Before {
 public:
  Before(const repo::Repository& repository, const FileEntry* folder) : repository_(repository) {
    if (folder != nullptr && folder->kind == FileKind::kFolder) parts_ = folder->parts;
  }
  std::optional<FileEntry> find(const std::string& name) {
    while (at_ == entries_.size() || entries_[at_].name < name) {
      if (at_ < entries_.size()) {
        ++at_;
      } else if (!read_part()) {
        return std::nullopt;
      }
    }
    if (entries_[at_].name != name) return std::nullopt;
    return std::move(entries_[at_++]);
  }

 private:
  bool read_part() {
    if (part_ == parts_.size()) return false;
    entries_.clear();
    at_ = 0;
    try {
      for_each_entry(repository_, {parts_[part_++]},
                     [&](FileEntry entry) { entries_.push_back(std::move(entry)); });
    } catch (const Error& error) {
      if (error.code() != ErrorCode::kIntegrity && error.code() != ErrorCode::kNotFound) throw;
    }
    return true;
  }

  const repo::Repository& repository_;
  std::vector<repo::BlobId> parts_;
  std::size_t part_ = 0, at_ = 0;
  std::vector<FileEntry> entries_;
};

FileEntry FolderTaker::take(const std::string& path, const FileEntry* before) {
  const std::size_t slash = path.rfind('/');
  const std::string above = slash == 0 ? "/" : path.substr(0, slash);
  const std::string name = path.size() == 1 ? "." : path.substr(slash + 1);
  const FileDescriptor folder(::open(above.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder) throw_errno("open " + above);
  auto found =
      look_at(folder.get(), path, name, before != nullptr ? std::optional(*before) : std::nullopt);
  if (!found) {
    const std::string why = damaged_.empty() ? "it is no file, folder or link" : damaged_.back();
    throw Error(ErrorCode::kNotFound, fmt::format("{} cannot be backed up: {}", path, why),
                "leave it out, or run as who may read it");
  }
  if (found->entry.kind == FileKind::kFolder) {
    const std::optional<OpenFolder> inner = open_below(folder.get(), path, name, 0);
    if (!inner) throw Error(ErrorCode::kIo, damaged_.back());
    const FileEntry* const earlier = found->before ? &*found->before : nullptr;
    take_below(*inner, path == "/" ? "" : path, found->entry, earlier, 1);
  } else if (found->entry.kind == FileKind::kFile) {
    if (found->is_to_read) read_file_of(folder.get(), path, *found);
    if (found->is_gone) throw Error(ErrorCode::kNotFound, fmt::format("{} is not there", path));
    ++counts_.files;
    counts_.bytes += found->entry.content.size_bytes;
  }
  return std::move(found->entry);
}

// nullopt for one that cannot be read.
std::optional<FolderTaker::OpenFolder> FolderTaker::open_below(int folder, const std::string& path,
                                                               const std::string& name, int depth) {
  try {
    if (depth == kMostDepth) throw Error(ErrorCode::kIo, "folders are nested too deep");
    OpenFolder open;
    open.fd = FileDescriptor(
        ::openat(folder, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!open.fd) throw_errno("open the folder");
    open.names = names_in(open.fd.get());
    return open;
  } catch (const Error& error) {
    add_damaged(path, error.message());
    return std::nullopt;
  }
}

void FolderTaker::take_below(const OpenFolder& open, const std::string& path, FileEntry& entry,
                             const FileEntry* before, int depth) {
  const int folder = open.fd.get();
  FolderWriter entries(writer_);
  Before earlier(repository_, before);
  std::vector<Found> some;
  for (const std::string& name : open.names) {
    const std::string below = path + "/" + name;
    if (excluded_.match(below)) continue;
    if (auto found = look_at(folder, below, name, earlier.find(name))) {
      some.push_back(std::move(*found));
    }
    if (some.size() == kStepEntries) take_some(folder, path, some, entries, depth);
  }
  take_some(folder, path, some, entries, depth);
  entry.parts = entries.finish();
  entry.digest = entries.digest();
  reach_crash_point("other_data.folder_read");
}

void FolderTaker::take_some(int folder, const std::string& path, std::vector<Found>& some,
                            FolderWriter& entries, int depth) {
  repo::for_each_parallel(
      some.size(), {}, [](std::size_t) { return std::uint64_t{8} << 20; },
      [&](std::size_t i) {
        if (some[i].is_to_read) read_file_of(folder, path + "/" + some[i].entry.name, some[i]);
      });
  for (Found& found : some) {
    FileEntry& entry = found.entry;
    const std::string below = path + "/" + entry.name;
    if (entry.kind == FileKind::kFolder) {
      const std::optional<OpenFolder> inner = open_below(folder, below, entry.name, depth);
      if (!inner) continue;
      const FileEntry* const before = found.before ? &*found.before : nullptr;
      take_below(*inner, below, entry, before, depth + 1);
    }
    if (found.is_gone) continue;
    if (entry.kind == FileKind::kFile) {
      ++counts_.files;
      counts_.bytes += entry.content.size_bytes;
    }
    entries.add(entry);
  }
  some.clear();
  sink_.progress({"backing up files", counts_.files, 0});
}

// nullopt for what is left out, or gone.
std::optional<FolderTaker::Found> FolderTaker::look_at(int folder, const std::string& path,
                                                       const std::string& name,
                                                       std::optional<FileEntry> before) {
  Found found;
  if (::fstatat(folder, name.c_str(), &found.status, AT_SYMLINK_NOFOLLOW) != 0) {
    if (errno != ENOENT) add_damaged(path, reason());
    return std::nullopt;
  }
  if (const char* const kind = special_kind(found.status.st_mode)) {
    left_out_.push_back(fmt::format("{}: it is {}", shown_path(path), kind));
    return std::nullopt;
  }
  found.before = std::move(before);
  FileEntry& entry = found.entry;
  take_status(found.status, entry);
  entry.name = name;
  entry.user = user_name(entry.uid);
  entry.group = group_name(entry.gid);
  try {
    if (entry.kind == FileKind::kLink) entry.target = link_target(folder, name);
  } catch (const Error& error) {
    add_damaged(path, error.message());
    return std::nullopt;
  }
  found.is_to_read = entry.kind == FileKind::kFile && !take_over(found);
  return found;
}

bool FolderTaker::take_over(Found& found) const {
  if (!found.before || found.before->kind != FileKind::kFile) return false;
  const FileEntry &before = *found.before, &now = found.entry;
  const bool is_same = !before.is_fresh && before.inode == now.inode &&
                       before.changed_ns == now.changed_ns &&
                       before.modified_ns == now.modified_ns &&
                       static_cast<off_t>(before.content.size_bytes) == found.status.st_size;
  if (is_same) found.entry.content = found.before->content;
  return is_same;
}

void FolderTaker::read_file_of(int folder, const std::string& path, Found& found) {
  FileEntry& entry = found.entry;
  const std::pair<std::uint64_t, std::uint64_t> key{entry.device, entry.inode};
  if (entry.device != 0) {
    const std::lock_guard lock(mutex_);
    if (const auto known = linked_.find(key); known != linked_.end()) {
      entry.content = known->second;
      return;
    }
  }
  for (int attempt = 1; !read_once(folder, path, found); ++attempt) {
    if (attempt < kAttempts) continue;
    add_damaged(path, "it changed while it was read: what was read is of no one moment");
    entry.is_fresh = true;
    break;
  }
  if (found.is_gone) return;
  const std::lock_guard lock(mutex_);
  ++counts_.files_read;
  counts_.bytes_read += entry.content.size_bytes;
  if (entry.device != 0) linked_[key] = entry.content;
}

// False when it changed meanwhile.
bool FolderTaker::read_once(int folder, const std::string& path, Found& found) {
  FileEntry& entry = found.entry;
  const FileDescriptor fd(::openat(folder, entry.name.c_str(),
                                   O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  struct stat begin {
  }, end{};
  if (!fd || ::fstat(fd.get(), &begin) != 0 || !S_ISREG(begin.st_mode)) {
    if (fd || errno != ENOENT) add_damaged(path, fd ? "it is another kind of file now" : reason());
    found.is_gone = true;
    return true;
  }
  take_status(begin, entry);
  const bool is_large = static_cast<std::uint64_t>(begin.st_size) >= kLargeFileBytes;
  ContentWriter content(writer_, gear_, is_large ? kLargeChunkSizes : kChunkSizes);
  std::string buffer(std::min<std::size_t>(kReadBytes, static_cast<std::size_t>(begin.st_size) + 1),
                     '\0');
  for (;;) {
    const ssize_t count = ::read(fd.get(), buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      add_damaged(path, reason());
      found.is_gone = true;
      return true;
    }
    if (count == 0) break;
    content.add(std::string_view(buffer).substr(0, static_cast<std::size_t>(count)));
  }
  entry.content = content.finish();
  return ::fstat(fd.get(), &end) == 0 && is_same_file(begin, end) &&
         entry.content.size_bytes == static_cast<std::uint64_t>(end.st_size);
}

const std::string& FolderTaker::user_name(std::uint32_t uid) {
  const auto [name, is_new] = users_.try_emplace(uid);
  std::array<char, 16384> buffer;
  passwd entry{}, *found = nullptr;
  if (is_new && ::getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found) == 0 && found) {
    name->second = entry.pw_name;
  }
  return name->second;
}

const std::string& FolderTaker::group_name(std::uint32_t gid) {
  const auto [name, is_new] = groups_.try_emplace(gid);
  std::array<char, 16384> buffer;
  group entry{}, *found = nullptr;
  if (is_new && ::getgrgid_r(gid, &entry, buffer.data(), buffer.size(), &found) == 0 && found) {
    name->second = entry.gr_name;
  }
  return name->second;
}

void FolderTaker::add_damaged(const std::string& path, const std::string& why) {
  const std::lock_guard lock(mutex_);
  damaged_.push_back(fmt::format("{}: {}", shown_path(path), why));
}

}  // namespace coppice::recovery
