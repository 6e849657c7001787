#include "objects/folder_store.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/core.h>
#include <linux/fs.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <vector>

#include "base/clock.h"
#include "base/direct_writer.h"
#include "base/error.h"
#include "base/sha256.h"

namespace coppice {
namespace {

constexpr const char* kIncoming = ".incoming";
// From here on an object is a pack, which is not read again soon.
constexpr std::size_t kDirectBytes = 8 * kDirectBlockBytes;

void write_bytes(int fd, std::string_view bytes, const std::string& what) {
  if (bytes.size() < kDirectBytes) return write_all(fd, bytes, what);
  DirectWriter writer(fd, what);
  writer.append(bytes);
  writer.finish();
}

std::int64_t modified_us(const struct stat& status) {
  return static_cast<std::int64_t>(status.st_mtim.tv_sec) * 1'000'000 +
         status.st_mtim.tv_nsec / 1'000;
}

std::string parent_of(const std::string& name) {
  const std::size_t slash = name.rfind('/');
  return slash == std::string::npos ? "." : name.substr(0, slash);
}

// Removes the unfinished file unless it was moved.
class Unfinished {
 public:
  Unfinished(int root, std::string path) : root_(root), path_(std::move(path)) {}
  ~Unfinished() {
    if (!path_.empty()) ::unlinkat(root_, path_.c_str(), 0);
  }
  Unfinished(const Unfinished&) = delete;
  Unfinished& operator=(const Unfinished&) = delete;
  void moved() { path_.clear(); }

 private:
  int root_;
  std::string path_;
};

struct CloseFolder {
  void operator()(DIR* folder) const { ::closedir(folder); }
};
using Folder = std::unique_ptr<DIR, CloseFolder>;

// nullptr when there is none.
Folder open_folder(int root, const std::string& path) {
  const int fd = ::openat(root, path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0) return nullptr;
  DIR* const folder = ::fdopendir(fd);
  if (folder == nullptr) ::close(fd);
  return Folder(folder);
}

}  // namespace

FolderStore::FolderStore(std::filesystem::path folder, Missing missing)
    : folder_(std::filesystem::absolute(std::move(folder)).lexically_normal()) {
  if (missing == Missing::kCreate && ::mkdir(folder_.c_str(), 0700) != 0 && errno != EEXIST) {
    throw_errno("create the folder " + folder_.string());
  }
  root_ = FileDescriptor(::open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (root_) return;
  if (errno == ENOENT) {
    throw Error(ErrorCode::kNotFound, "there is no folder " + folder_.string(),
                "look at its name, and whether its disk is mounted");
  }
  throw_errno("open the folder " + folder_.string());
}

void FolderStore::fail(const std::string& what, const std::string& name) const {
  const int number = errno;
  struct stat status {};
  // A folder that was removed while it was open has no links.
  if (::fstat(root_.get(), &status) != 0 || status.st_nlink == 0) {
    throw Error(ErrorCode::kUnavailable, fmt::format("{} is gone", place()));
  }
  errno = number;
  throw_errno(fmt::format("{} {} in {}", what, name, folder_.string()));
}

void FolderStore::make_folders(const std::string& name) const {
  for (std::size_t slash = name.find('/'); slash != std::string::npos;
       slash = name.find('/', slash + 1)) {
    const std::string folder = name.substr(0, slash);
    if (::mkdirat(root_.get(), folder.c_str(), 0700) == 0) {
      const std::string parent = parent_of(folder);
      const FileDescriptor fd(
          ::openat(root_.get(), parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
      if (!fd || ::fsync(fd.get()) != 0) fail("sync the folder of", folder);
    } else if (errno != EEXIST) {
      fail("create the folder", folder);
    }
  }
}

bool FolderStore::put(const std::string& name, std::string_view bytes) {
  check_object_name(name);
  if (stat(name)) return false;
  make_folders(name);
  make_folders(std::string(kIncoming) + "/");
  const std::string path =
      fmt::format("{}/{}-{}.part", kIncoming, ::getpid(), to_hex(random_bytes(8)));
  const FileDescriptor file(
      ::openat(root_.get(), path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0400));
  if (!file) fail("write", name);
  Unfinished unfinished(root_.get(), path);
  write_bytes(file.get(), bytes, fmt::format("{} in {}", name, folder_.string()));
  if (::fsync(file.get()) != 0) fail("sync", name);
  if (!move_to_place(path, name)) return false;
  unfinished.moved();
  const std::string parent = parent_of(name);
  const FileDescriptor folder(
      ::openat(root_.get(), parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder || ::fsync(folder.get()) != 0) fail("sync the folder of", name);
  return true;
}

// False when there is an object already; the unfinished file then stays.
bool FolderStore::move_to_place(const std::string& incoming, const std::string& name) const {
  if (::syscall(SYS_renameat2, root_.get(), incoming.c_str(), root_.get(), name.c_str(),
                RENAME_NOREPLACE) == 0) {
    return true;
  }
  if (errno == EEXIST) return false;
  if (errno != EINVAL && errno != ENOSYS) fail("write", name);
  // A file system that cannot rename without replacing: a second link, then without the first.
  if (::linkat(root_.get(), incoming.c_str(), root_.get(), name.c_str(), 0) != 0) {
    if (errno == EEXIST) return false;
    fail("write", name);
  }
  ::unlinkat(root_.get(), incoming.c_str(), 0);
  return true;
}

FileDescriptor FolderStore::open_object(const std::string& name) const {
  check_object_name(name);
  FileDescriptor file(::openat(root_.get(), name.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (file) return file;
  struct stat status {};
  const bool gone = ::fstat(root_.get(), &status) != 0 || status.st_nlink == 0;
  if (errno != ENOENT || gone) fail("read", name);
  throw Error(ErrorCode::kNotFound, fmt::format("there is no object {} in {}", name, place()));
}

std::string FolderStore::get(const std::string& name) {
  const FileDescriptor file = open_object(name);
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) fail("read", name);
  std::string bytes(static_cast<std::size_t>(status.st_size), '\0');
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t count = ::read(file.get(), bytes.data() + done, bytes.size() - done);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail("read", name);
    if (count == 0) break;
    done += static_cast<std::size_t>(count);
  }
  bytes.resize(done);
  return bytes;
}

std::string FolderStore::get_part(const std::string& name, std::uint64_t offset_bytes,
                                  std::uint64_t size_bytes) {
  const FileDescriptor file = open_object(name);
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) fail("read", name);
  const auto have = static_cast<std::uint64_t>(status.st_size);
  if (offset_bytes > have || size_bytes > have - offset_bytes) {
    throw Error(ErrorCode::kIntegrity,
                fmt::format("{} in {} has {} bytes, and should have {} at least", name,
                            folder_.string(), have, offset_bytes + size_bytes));
  }
  std::string bytes(size_bytes, '\0');
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t count = ::pread(file.get(), bytes.data() + done, bytes.size() - done,
                                  static_cast<off_t>(offset_bytes + done));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) fail("read", name);
    done += static_cast<std::size_t>(count);
  }
  return bytes;
}

std::optional<ObjectInfo> FolderStore::stat(const std::string& name) {
  check_object_name(name);
  struct stat status {};
  if (::fstatat(root_.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
    if (errno != ENOENT && errno != ENOTDIR) fail("examine", name);
    return std::nullopt;
  }
  if (!S_ISREG(status.st_mode)) return std::nullopt;
  return ObjectInfo{name, static_cast<std::uint64_t>(status.st_size), modified_us(status)};
}

void FolderStore::list(const std::string& prefix,
                       const std::function<void(const ObjectInfo&)>& visit) {
  if (prefix.empty()) return list_folder("", visit);
  COPPICE_ASSERT(prefix.back() == '/');
  const std::string folder = prefix.substr(0, prefix.size() - 1);
  check_object_name(folder);
  list_folder(folder, visit);
}

void FolderStore::list_folder(const std::string& folder,
                              const std::function<void(const ObjectInfo&)>& visit) const {
  const Folder entries = open_folder(root_.get(), folder.empty() ? "." : folder);
  if (entries == nullptr) {
    if (errno == ENOENT && !folder.empty()) return;
    fail("list", folder);
  }
  std::vector<std::string> folders;
  for (;;) {
    errno = 0;
    const dirent* const entry = ::readdir(entries.get());
    if (entry == nullptr) {
      if (errno != 0) fail("list", folder);
      break;
    }
    const std::string own = entry->d_name;
    if (own.front() == '.') continue;
    const std::string name = folder.empty() ? own : folder + "/" + own;
    struct stat status {};
    if (::fstatat(root_.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
      if (errno == ENOENT) continue;  // removed in between
      fail("examine", name);
    }
    if (S_ISDIR(status.st_mode)) folders.push_back(name);
    if (S_ISREG(status.st_mode)) {
      visit({name, static_cast<std::uint64_t>(status.st_size), modified_us(status)});
    }
  }
  std::sort(folders.begin(), folders.end());
  for (const std::string& each : folders) list_folder(each, visit);
}

bool FolderStore::remove(const std::string& name) {
  check_object_name(name);
  if (::unlinkat(root_.get(), name.c_str(), 0) != 0) {
    if (errno != ENOENT) fail("remove", name);
    return false;
  }
  const std::string parent = parent_of(name);
  const FileDescriptor folder(
      ::openat(root_.get(), parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder || ::fsync(folder.get()) != 0) fail("sync the folder of", name);
  return true;
}

void FolderStore::sweep_incoming(std::int64_t age_us) {
  const Folder entries = open_folder(root_.get(), kIncoming);
  if (entries == nullptr) return;
  const std::int64_t before = SystemClock().now_us() - age_us;
  while (const dirent* const entry = ::readdir(entries.get())) {
    const std::string path = std::string(kIncoming) + "/" + entry->d_name;
    struct stat status {};
    if (::fstatat(root_.get(), path.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) continue;
    if (S_ISREG(status.st_mode) && modified_us(status) < before) {
      ::unlinkat(root_.get(), path.c_str(), 0);
    }
  }
}

}  // namespace coppice
