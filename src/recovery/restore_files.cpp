#include "recovery/restore_files.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <map>
#include <mutex>
#include <optional>

#include "base/crash_point.h"
#include "base/error.h"
#include "base/sha256.h"
#include "base/text.h"
#include "recovery/files.h"
#include "repo/parallel.h"

namespace coppice::recovery {
namespace {

namespace fs = std::filesystem;

constexpr const char* kMark = ".coppice-restore";
constexpr std::size_t kStepFiles = 1024;
constexpr std::size_t kHoleBytes = 4096;
constexpr std::int64_t kSecondNs = 1'000'000'000;
constexpr std::uint32_t kPermissions = 0777;

timespec time_of(std::int64_t nanoseconds) {
  std::int64_t seconds = nanoseconds / kSecondNs, rest = nanoseconds % kSecondNs;
  if (rest < 0) {
    rest += kSecondNs;
    --seconds;
  }
  return {static_cast<time_t>(seconds), static_cast<long>(rest)};
}

FileDescriptor open_folder(int above, const std::string& name) {
  return FileDescriptor(
      ::openat(above, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
}

// By its name where the system knows that, else by its number.
class Owners {
 public:
  std::pair<uid_t, gid_t> of(const FileEntry& entry) {
    const std::lock_guard lock(mutex_);
    const auto user = users_.try_emplace(entry.user, entry.uid);
    const auto group = groups_.try_emplace(entry.group, entry.gid);
    std::array<char, 16384> buffer;
    passwd of_user{}, *user_found = nullptr;
    struct group of_group {
    }, *group_found = nullptr;
    if (user.second && !entry.user.empty() &&
        ::getpwnam_r(entry.user.c_str(), &of_user, buffer.data(), buffer.size(), &user_found) ==
            0 &&
        user_found != nullptr) {
      user.first->second = user_found->pw_uid;
    }
    if (group.second && !entry.group.empty() &&
        ::getgrnam_r(entry.group.c_str(), &of_group, buffer.data(), buffer.size(), &group_found) ==
            0 &&
        group_found != nullptr) {
      group.first->second = group_found->gr_gid;
    }
    return {entry.user.empty() ? entry.uid : user.first->second,
            entry.group.empty() ? entry.gid : group.first->second};
  }

 private:
  std::mutex mutex_;
  std::map<std::string, uid_t> users_;
  std::map<std::string, gid_t> groups_;
};

// Writes a file, and leaves holes where there are zeros if it is a sparse one.
class SparseWriter {
 public:
  SparseWriter(int fd, bool sparse, const std::string& path)
      : fd_(fd), sparse_(sparse), path_(path) {}

  void write(std::string_view bytes) {
    while (!bytes.empty()) {
      const std::size_t length = sparse_ ? std::min(kHoleBytes, bytes.size()) : bytes.size();
      const std::string_view piece = bytes.substr(0, length);
      const bool is_hole = sparse_ && std::all_of(piece.begin(), piece.end(),
                                                  [](char byte) { return byte == '\0'; });
      if (!is_hole) {
        write_all(fd_, piece, path_);
      } else if (::lseek(fd_, static_cast<off_t>(length), SEEK_CUR) < 0) {
        throw_errno("write " + path_);
      }
      size_ += length;
      bytes.remove_prefix(length);
    }
  }
  void finish() {
    if (sparse_ && ::ftruncate(fd_, static_cast<off_t>(size_)) != 0) throw_errno("write " + path_);
  }

 private:
  const int fd_;
  const bool sparse_;
  const std::string& path_;
  std::uint64_t size_ = 0;
};

class FileRestorer {
 public:
  FileRestorer(const repo::Repository& repository, const FilesPlace& place, ResultSink& sink)
      : repository_(repository),
        place_(place),
        sink_(sink),
        root_(::open(place.folder().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
    if (!root_) throw_errno("open " + place.folder().string());
  }

  // The folders on the way to it are not in the backup: they get what new folders get.
  void restore(const FileSource& source) {
    std::vector<std::string> names = split(source.path.substr(1), '/');
    if (source.path == "/") names.clear();
    if (names.empty()) return restore_folder(root_.get(), "", source.entry);
    FileDescriptor above(::dup(root_.get()));
    std::string path;
    for (std::size_t i = 0; i + 1 < names.size(); ++i) {
      path += (path.empty() ? "" : "/") + names[i];
      above = make_folder(above.get(), names[i], path, 0755);
    }
    FileEntry entry = source.entry;
    entry.name = names.back();
    restore_entry(above.get(), path, std::move(entry));
    restore_files(above.get(), path);
  }
  const RestoredFiles& counts() const { return counts_; }

 private:
  struct Wanted {
    FileEntry entry;
  };

  static std::string below(const std::string& path, const std::string& name) {
    return path.empty() ? name : path + "/" + name;
  }

  void restore_entry(int above, const std::string& path, FileEntry entry) {
    const std::string own = below(path, entry.name);
    switch (entry.kind) {
      case FileKind::kFile:
        waiting_.push_back(std::move(entry));
        if (waiting_.size() >= kStepFiles) restore_files(above, path);
        break;
      case FileKind::kLink:
        restore_link(above, own, entry);
        break;
      case FileKind::kFolder: {
        // Files wait with the folder that they are in.
        restore_files(above, path);
        const FileDescriptor folder = make_folder(above, entry.name, own, 0700);
        restore_folder(folder.get(), own, entry);
        break;
      }
    }
  }

  void restore_folder(int folder, const std::string& path, const FileEntry& entry) {
    for_each_entry(repository_, entry.parts,
                   [&](FileEntry one) { restore_entry(folder, path, std::move(one)); });
    restore_files(folder, path);
    set_status(folder, path, entry);  // at last: what is made in it changes its times
  }

  FileDescriptor make_folder(int above, const std::string& name, const std::string& path,
                             mode_t mode) const {
    const bool is_new = ::mkdirat(above, name.c_str(), mode) == 0;
    if (!is_new && errno != EEXIST) throw_errno("make the folder " + shown_path(path));
    FileDescriptor folder = open_folder(above, name);
    if (!folder) throw_errno("open the folder " + shown_path(path));
    return folder;
  }

  void restore_link(int above, const std::string& path, const FileEntry& entry) {
    if (::unlinkat(above, entry.name.c_str(), 0) != 0 && errno != ENOENT) {
      throw_errno("replace " + shown_path(path));
    }
    if (::symlinkat(entry.target.c_str(), above, entry.name.c_str()) != 0) {
      throw_errno("make the link " + shown_path(path));
    }
    if (::geteuid() == 0) {
      const auto [uid, gid] = owners_.of(entry);
      if (::fchownat(above, entry.name.c_str(), uid, gid, AT_SYMLINK_NOFOLLOW) != 0) {
        throw_errno("give away " + shown_path(path));
      }
    }
    const std::array<timespec, 2> times{timespec{0, UTIME_OMIT}, time_of(entry.modified_ns)};
    ::utimensat(above, entry.name.c_str(), times.data(), AT_SYMLINK_NOFOLLOW);
  }

  void restore_files(int above, const std::string& path) {
    // Other names of a file that is restored in this step come after it.
    std::vector<FileEntry> names;
    std::vector<FileEntry> files;
    for (FileEntry& entry : waiting_) {
      const bool is_other_name =
          entry.device != 0 && !linked_.emplace(key_of(entry), below(path, entry.name)).second;
      (is_other_name ? names : files).push_back(std::move(entry));
    }
    waiting_.clear();
    repo::for_each_parallel(
        files.size(), {}, [](std::size_t) { return std::uint64_t{16} << 20; },
        [&](std::size_t i) { restore_file(above, below(path, files[i].name), files[i]); });
    for (const FileEntry& entry : names) add_name(above, below(path, entry.name), entry);
    counts_.files += names.size();
    sink_.progress({"restoring files", counts_.files, 0});
  }

  static std::pair<std::uint64_t, std::uint64_t> key_of(const FileEntry& entry) {
    return {entry.device, entry.inode};
  }

  void add_name(int above, const std::string& path, const FileEntry& entry) {
    ::unlinkat(above, entry.name.c_str(), 0);
    const std::string& first = linked_.at(key_of(entry));
    if (::linkat(root_.get(), first.c_str(), above, entry.name.c_str(), 0) != 0) {
      throw_errno(fmt::format("give {} the name {}", shown_path(first), shown_path(path)));
    }
  }

  void restore_file(int above, const std::string& path, const FileEntry& entry) {
    const bool is_kept = place_.goes_on() && is_there(above, entry);
    FileDescriptor fd;
    if (is_kept) {
      fd = FileDescriptor(::openat(above, entry.name.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
      if (!fd) throw_errno("open " + shown_path(path));
    } else {
      fd = write_file(above, path, entry);
    }
    set_status(fd.get(), path, entry);
    reach_crash_point("other_data.file_written");
    const std::lock_guard lock(mutex_);
    ++counts_.files;
    counts_.bytes += entry.content.size_bytes;
    counts_.kept += is_kept ? 1 : 0;
  }

  FileDescriptor write_file(int above, const std::string& path, const FileEntry& entry) {
    if (::unlinkat(above, entry.name.c_str(), 0) != 0 && errno != ENOENT) {
      throw_errno("replace " + shown_path(path));
    }
    FileDescriptor fd(::openat(above, entry.name.c_str(),
                               O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    const std::string shown = shown_path(path);
    if (!fd) throw_errno("make " + shown);
    SparseWriter writer(fd.get(), entry.is_sparse, shown);
    try {
      read_content(repository_, entry.content,
                   [&](std::string_view bytes) { writer.write(bytes); });
    } catch (const Error& error) {
      throw Error(error.code(), fmt::format("{}: {}", shown, error.message()), error.hint());
    }
    writer.finish();
    return fd;
  }

  // What an interrupted restore has left was perhaps never synced: its bytes may be anything.
  static bool is_there(int above, const FileEntry& entry) {
    const FileDescriptor fd(
        ::openat(above, entry.name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    struct stat status {};
    if (!fd || ::fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode)) return false;
    // Another name of it would get what is meant for this one.
    if (status.st_nlink > 1 && entry.device == 0) return false;
    if (static_cast<std::uint64_t>(status.st_size) != entry.content.size_bytes) return false;
    Sha256 digest;
    std::string buffer(256 << 10, '\0');
    for (;;) {
      const ssize_t count = ::read(fd.get(), buffer.data(), buffer.size());
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) return false;
      if (count == 0) break;
      digest.update(std::string_view(buffer).substr(0, static_cast<std::size_t>(count)));
    }
    return digest.finish() == entry.content.sha256;
  }

  void set_status(int fd, const std::string& path, const FileEntry& entry) {
    const bool is_root = ::geteuid() == 0;
    if (is_root) {
      const auto [uid, gid] = owners_.of(entry);
      if (::fchown(fd, uid, gid) != 0) throw_errno("give away " + shown_path(path));
    }
    // Another's program must not become one of ours that runs as us.
    if (::fchmod(fd, is_root ? entry.mode : entry.mode & kPermissions) != 0) {
      throw_errno("set the mode of " + shown_path(path));
    }
    const std::array<timespec, 2> times{timespec{0, UTIME_OMIT}, time_of(entry.modified_ns)};
    if (::futimens(fd, times.data()) != 0) throw_errno("set the time of " + shown_path(path));
  }

  const repo::Repository& repository_;
  const FilesPlace& place_;
  ResultSink& sink_;
  const FileDescriptor root_;
  Owners owners_;
  std::vector<FileEntry> waiting_;
  std::map<std::pair<std::uint64_t, std::uint64_t>, std::string> linked_;
  std::mutex mutex_;
  RestoredFiles counts_;
};

Digest digest_below(const fs::path& folder, bool has_mark);

// has_mark: of the folder of a restore, whose mark is none of it.
FileEntry read_entry(const fs::path& path, bool has_mark = false) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) {
    throw Error(ErrorCode::kNotFound, fmt::format("{} is not there", shown_path(path.string())));
  }
  FileEntry entry;
  entry.name = path.filename().string();
  entry.mode = status.st_mode & 07777;
  if (S_ISLNK(status.st_mode)) {
    entry.kind = FileKind::kLink;
    entry.target = fs::read_symlink(path).string();
  } else if (S_ISDIR(status.st_mode)) {
    entry.kind = FileKind::kFolder;
    entry.digest = digest_below(path, has_mark);
  } else {
    entry.content.sha256 = sha256_file(path);
  }
  return entry;
}

Digest digest_below(const fs::path& folder, bool has_mark) {
  std::vector<std::string> names;
  for (const auto& file : fs::directory_iterator(folder)) {
    names.push_back(file.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  FolderDigest digest;
  for (const std::string& name : names) {
    if (!has_mark || name != kMark) digest.add(read_entry(folder / name));
  }
  return digest.finish();
}

}  // namespace

FilesPlace::FilesPlace(fs::path folder, const std::string& backup) : folder_(std::move(folder)) {
  const fs::path mark = folder_ / kMark;
  if (fs::exists(folder_) && !fs::is_directory(folder_)) {
    throw Error(ErrorCode::kRefused, fmt::format("{} is no folder", folder_.string()),
                "name another one with --to-files");
  }
  goes_on_ = fs::exists(mark);
  if (!goes_on_ && fs::exists(folder_) && !fs::is_empty(folder_)) {
    throw Error(ErrorCode::kRefused, fmt::format("{} is not empty", folder_.string()),
                "files are restored to a folder of their own: name another one with --to-files");
  }
  fs::create_directories(folder_);
  lock_ = try_lock_file(mark);
  if (!lock_) {
    throw Error(ErrorCode::kBusy,
                fmt::format("another restore to {} is under way", folder_.string()),
                "wait for it, or end it");
  }
  const std::string other(trim(read_file(mark)));
  if (!other.empty() && other != backup) {
    throw Error(
        ErrorCode::kRefused,
        fmt::format("in {} a restore of the backup {} was interrupted", folder_.string(),
                    short_backup_id(other)),
        fmt::format("go on with it: --backup {}; or remove the folder", short_backup_id(other)));
  }
  if (other.empty()) write_all(lock_->get(), backup + "\n", mark.string());
}

void FilesPlace::finish() {
  sync_file_system(folder_);
  fs::remove(folder_ / kMark);
  sync_folder(folder_);
}

RestoredFiles restore_files(const repo::Repository& repository, const OtherData& data,
                            const FilesPlace& place, ResultSink& sink) {
  FileRestorer restorer(repository, place, sink);
  for (const FileSource& source : data.sources) restorer.restore(source);
  return restorer.counts();
}

bool take_from_disk(const fs::path& folder, FileSource& source) {
  const bool is_all = source.path == "/";
  FileEntry found = read_entry(is_all ? folder : folder / source.path.substr(1), is_all);
  found.name = source.entry.name;
  FolderDigest expected, there;
  expected.add(source.entry);
  there.add(found);
  source.entry = std::move(found);
  return expected.finish() == there.finish();
}

}  // namespace coppice::recovery
