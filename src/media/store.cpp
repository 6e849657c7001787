#include "media/store.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <linux/fs.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <exception>
#include <mutex>
#include <set>
#include <thread>

#include "base/clock.h"
#include "base/crash_point.h"
#include "base/error.h"
#include "base/files.h"
#include "media/sniff.h"

namespace coppice {

namespace fs = std::filesystem;

namespace {

constexpr mode_t kFileMode = 0640;
constexpr mode_t kFolderMode = 0750;
constexpr std::size_t kCopyBlockBytes = std::size_t{1} << 20;
constexpr std::size_t kMaxExtensionLength = 12;

bool is_hex_digest(std::string_view text) {
  return text.size() == 64 && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

bool is_extension(std::string_view text) {
  return !text.empty() && text.size() <= kMaxExtensionLength &&
         std::all_of(text.begin(), text.end(),
                     [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z'); });
}

std::int64_t changed_us(const struct stat& status) {
  return std::int64_t{status.st_ctim.tv_sec} * 1'000'000 + status.st_ctim.tv_nsec / 1000;
}

// A file limit (EFBIG) is to the caller what a full disk is: what was stored did not fit.
[[noreturn]] void throw_write_error(const std::string& what) {
  if (errno == EFBIG) {
    throw Error(ErrorCode::kDiskFull, fmt::format("cannot {}: {}", what, std::strerror(errno)),
                "raise the limit on the size of files (ulimit -f) and try again");
  }
  throw_errno(what);
}

void write_block(int fd, std::string_view bytes, const fs::path& file) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(fd, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw_write_error("write " + file.string());
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
}

// A file under incoming: removed unless it was moved away.
class IncomingFile {
 public:
  IncomingFile(fs::path path, const std::optional<Account>& owner)
      : path_(std::move(path)),
        fd_(::open(path_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, kFileMode)) {
    if (!fd_) throw_errno("create " + path_.string());
    // fchmod: the mode must not depend on the umask of whoever runs the command.
    const bool given =
        !owner || ::geteuid() != 0 || ::fchown(fd_.get(), owner->uid, owner->gid) == 0;
    if (!given || ::fchmod(fd_.get(), kFileMode) != 0) {
      const int number = errno;
      ::unlink(path_.c_str());
      errno = number;
      throw_errno("set the owner and mode of " + path_.string());
    }
  }
  ~IncomingFile() { ::unlink(path_.c_str()); }
  IncomingFile(const IncomingFile&) = delete;
  IncomingFile& operator=(const IncomingFile&) = delete;

  int fd() const { return fd_.get(); }
  const fs::path& path() const { return path_; }
  void sync() {
    if (::fsync(fd_.get()) != 0) throw_errno("sync " + path_.string());
  }

 private:
  fs::path path_;
  FileDescriptor fd_;
};

struct Content {
  Digest digest{};
  std::uintmax_t size_bytes = 0;
};

// Reads `source_fd` to its end; what it read is hashed, and written to `target_fd` unless that is
// -1.
Content copy_and_hash(int source_fd, int target_fd, const fs::path& source,
                      const fs::path& target) {
  Sha256 hash;
  Content content;
  std::string block(kCopyBlockBytes, '\0');
  for (;;) {
    const ssize_t count = ::read(source_fd, block.data(), block.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw_errno("read " + source.string());
    if (count == 0) break;
    const std::string_view bytes(block.data(), static_cast<std::size_t>(count));
    if (target_fd >= 0) write_block(target_fd, bytes, target);
    hash.update(bytes);
    content.size_bytes += bytes.size();
  }
  content.digest = hash.finish();
  return content;
}

FileDescriptor open_regular(const fs::path& file, struct stat& status) {
  // O_NONBLOCK: a named pipe must be refused, not waited for.
  FileDescriptor fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd) throw_errno("open " + file.string());
  if (::fstat(fd.get(), &status) != 0) throw_errno("examine " + file.string());
  if (!S_ISREG(status.st_mode)) {
    throw Error(ErrorCode::kInvalidInput,
                fmt::format("{} is {}, not a file", file.string(),
                            S_ISDIR(status.st_mode) ? "a folder" : "a device or pipe"));
  }
  return fd;
}

// Links the file when nobody could change it behind the store's back (docs/formats/media_store.md).
bool hard_link(const fs::path& file, const struct stat& source, const fs::path& target,
               uid_t store_owner) {
  const bool writable = (source.st_mode & (S_IWUSR | S_IWGRP | S_IWOTH)) != 0;
  const bool readable = (source.st_mode & S_IRUSR) != 0;
  if (writable || !readable || source.st_uid != store_owner) return false;
  if (::linkat(AT_FDCWD, file.c_str(), AT_FDCWD, target.c_str(), AT_SYMLINK_FOLLOW) != 0)
    return false;
  struct stat linked {};
  if (::stat(target.c_str(), &linked) == 0 && linked.st_ino == source.st_ino &&
      linked.st_dev == source.st_dev) {
    return true;
  }
  ::unlink(target.c_str());  // the file was exchanged between the check and the link
  return false;
}

// The journal of a file system takes what many threads wait for in one go.
constexpr std::size_t kSyncThreads = 16;

void sync_together(const std::vector<fs::path>& paths,
                   const std::function<void(const fs::path&)>& sync) {
  std::atomic<std::size_t> next = 0;
  std::mutex mutex;
  std::exception_ptr failure;
  const auto work = [&] {
    for (std::size_t i = next++; i < paths.size(); i = next++) {
      try {
        sync(paths[i]);
      } catch (...) {
        const std::lock_guard lock(mutex);
        if (!failure) failure = std::current_exception();
      }
    }
  };
  {
    std::vector<std::jthread> threads;
    for (std::size_t i = 1; i < std::min(kSyncThreads, paths.size()); ++i)
      threads.emplace_back(work);
    work();
  }
  if (failure) std::rethrow_exception(failure);
}

FileDescriptor lock_store(const fs::path& folder, int operation,
                          const std::optional<Account>& owner) {
  const fs::path file = folder / "lock";
  FileDescriptor fd(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, kFileMode));
  if (!fd) throw_errno("open " + file.string());
  if (owner && ::geteuid() == 0 && ::fchown(fd.get(), owner->uid, owner->gid) != 0)
    throw_errno("set the owner of " + file.string());
  while (::flock(fd.get(), operation) != 0) {
    if (errno != EINTR) throw_errno("lock " + file.string());
  }
  return fd;
}

}  // namespace

std::optional<MediaName> MediaName::parse(std::string_view text) {
  constexpr std::string_view kPrefix = "media:";
  if (text.substr(0, kPrefix.size()) != kPrefix) return std::nullopt;
  text.remove_prefix(kPrefix.size());
  const std::size_t dot = text.find('.');
  if (dot == std::string_view::npos) return std::nullopt;
  const std::string_view digest = text.substr(0, dot);
  const std::string_view extension = text.substr(dot + 1);
  if (!is_hex_digest(digest) || !is_extension(extension)) return std::nullopt;
  return MediaName{std::string(digest), std::string(extension)};
}

MediaStore::MediaStore(fs::path folder, std::optional<Account> owner, Durable durable)
    : folder_(std::move(folder)), owner_(std::move(owner)), durable_(durable) {
  make_folder(folder_);
  make_folder(folder_ / "incoming");
  make_folder(folder_ / "sha256");
}

void MediaStore::make_folder(const fs::path& folder) const {
  if (::mkdir(folder.c_str(), kFolderMode) != 0) {
    if (errno != EEXIST) throw_errno("create " + folder.string());
    return;
  }
  // By descriptor: a function worker may not change modes by name (base/call_filter.cpp).
  const FileDescriptor made(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!made || ::fchmod(made.get(), kFolderMode) != 0)
    throw_errno("set the mode of " + folder.string());
  if (owner_ && ::geteuid() == 0 && ::chown(folder.c_str(), owner_->uid, owner_->gid) != 0)
    throw_errno("set the owner of " + folder.string());
  sync_folder(folder.has_parent_path() ? folder.parent_path() : fs::path("."));
}

fs::path MediaStore::incoming_path() const {
  return folder_ / "incoming" / fmt::format("{}-{}.part", ::getpid(), to_hex(random_bytes(8)));
}

MediaName MediaStore::put_file(const fs::path& file, std::string_view extension, bool may_link) {
  struct stat status {};
  const FileDescriptor source = open_regular(file, status);
  if (may_link) {
    const uid_t owner = owner_ && ::geteuid() == 0 ? owner_->uid : ::geteuid();
    const fs::path link = incoming_path();
    if (hard_link(file, status, link, owner)) {
      try {
        const Content content = copy_and_hash(source.get(), -1, file, {});
        if (durable_ == Durable::kAtOnce && ::fsync(source.get()) != 0)
          throw_errno("sync " + file.string());
        MediaName name = publish(link, content.digest, content.size_bytes, extension);
        ::unlink(link.c_str());
        return name;
      } catch (...) {
        ::unlink(link.c_str());
        throw;
      }
    }
  }
  IncomingFile incoming(incoming_path(), owner_);
  const bool cloned = may_link && ::ioctl(incoming.fd(), FICLONE, source.get()) == 0;
  const Content content = cloned
                              ? copy_and_hash(incoming.fd(), -1, incoming.path(), {})
                              : copy_and_hash(source.get(), incoming.fd(), file, incoming.path());
  if (durable_ == Durable::kAtOnce) incoming.sync();
  return publish(incoming.path(), content.digest, content.size_bytes, extension);
}

MediaName MediaStore::put_bytes(std::string_view bytes, std::string_view extension) {
  MediaWriter writer(*this);
  writer.append(bytes);
  return writer.finish(extension);
}

struct MediaWriter::State {
  State(const fs::path& path, const std::optional<Account>& owner)
      : file(path, owner), hash(std::make_unique<Sha256>()) {}
  IncomingFile file;
  std::unique_ptr<Sha256> hash;
  std::uintmax_t size_bytes = 0;
};

MediaWriter::MediaWriter(MediaStore& store)
    : store_(store), state_(std::make_unique<State>(store.incoming_path(), store.owner_)) {}

MediaWriter::~MediaWriter() = default;

void MediaWriter::append(std::string_view bytes) {
  write_block(state_->file.fd(), bytes, state_->file.path());
  state_->hash->update(bytes);
  state_->size_bytes += bytes.size();
  first_bytes_.append(bytes.substr(0, kSniffBytes - first_bytes_.size()));
}

void MediaWriter::reset() {
  if (::ftruncate(state_->file.fd(), 0) != 0 || ::lseek(state_->file.fd(), 0, SEEK_SET) != 0)
    throw_errno("empty " + state_->file.path().string());
  state_->hash = std::make_unique<Sha256>();
  state_->size_bytes = 0;
  first_bytes_.clear();
}

std::uintmax_t MediaWriter::size_bytes() const { return state_->size_bytes; }

MediaName MediaWriter::finish(std::string_view extension) {
  if (store_.durable_ == Durable::kAtOnce) state_->file.sync();
  return store_.publish(state_->file.path(), state_->hash->finish(), state_->size_bytes, extension);
}

// Moves a complete file to its place, or, when it is there already, makes that one young again.
MediaName MediaStore::publish(const fs::path& incoming, const Digest& digest,
                              std::uintmax_t size_bytes, std::string_view extension) {
  if (!is_extension(extension)) {
    throw Error(ErrorCode::kInvalidInput,
                fmt::format("\"{}\" is not an extension of a media object", extension),
                "use 1 to 12 lower-case letters and digits");
  }
  MediaName name{to_hex(digest), std::string(extension)};
  const fs::path object = path_of(name);
  reach_crash_point("media.object_written");
  make_folder(object.parent_path());
  while (::renameat2(AT_FDCWD, incoming.c_str(), AT_FDCWD, object.c_str(), RENAME_NOREPLACE) != 0) {
    if (errno == EEXIST) {
      if (touch_existing(object, size_bytes)) return name;
      continue;  // it was removed or damaged, its place is free now
    }
    // A file system without RENAME_NOREPLACE: replacing an object by the same bytes is harmless.
    if (errno != EINVAL) throw_errno("move a media object to " + object.string());
    if (::rename(incoming.c_str(), object.c_str()) == 0) break;
    throw_errno("move a media object to " + object.string());
  }
  if (durable_ == Durable::kAtOnce) sync_folder(object.parent_path());
  return name;
}

void MediaStore::make_durable(const std::vector<MediaName>& names) {
  std::set<fs::path> objects, folders;
  for (const MediaName& name : names) {
    objects.insert(path_of(name));
    folders.insert(path_of(name).parent_path());
  }
  sync_together({objects.begin(), objects.end()}, [](const fs::path& object) {
    const FileDescriptor fd(::open(object.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd) throw_errno("open " + object.string());
    if (::fsync(fd.get()) == 0) return;
    const int number = errno;
    ::unlink(object.c_str());  // its bytes may be anything
    errno = number;
    throw_errno("sync " + object.string());
  });
  sync_together({folders.begin(), folders.end()}, sync_folder);
}

bool MediaStore::renew(const MediaName& name, std::uintmax_t size_bytes) {
  return touch_existing(path_of(name), size_bytes);
}

bool MediaStore::touch_existing(const fs::path& object, std::uintmax_t size_bytes) {
  const FileDescriptor lock = lock_store(folder_, LOCK_SH, owner_);
  const FileDescriptor fd(::open(object.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd && errno == ENOENT) return false;
  struct stat status {};
  if (!fd || ::fstat(fd.get(), &status) != 0) throw_errno("examine " + object.string());
  if (static_cast<std::uintmax_t>(status.st_size) != size_bytes) {
    if (::unlink(object.c_str()) != 0 && errno != ENOENT)
      throw_errno("remove the damaged object " + object.string());
    return false;
  }
  // Setting the mode it has changes nothing but its time of change, which the collector looks at.
  if (::fchmod(fd.get(), status.st_mode & 07777) != 0 || ::fstat(fd.get(), &status) != 0)
    throw_errno("renew " + object.string());
  return status.st_nlink > 0;
}

fs::path MediaStore::path_of(const MediaName& name) const {
  return folder_ / "sha256" / name.sha256_hex.substr(0, 2) /
         (name.sha256_hex + "." + name.extension);
}

fs::path MediaStore::find(const MediaName& name) const {
  fs::path object = path_of(name);
  if (::access(object.c_str(), F_OK) == 0) return object;
  const fs::path cached =
      folder_.parent_path() / "cache" / "sha256" / name.sha256_hex.substr(0, 2) / object.filename();
  if (::access(cached.c_str(), F_OK) == 0) return cached;
  throw Error(ErrorCode::kNotFound,
              fmt::format("the media object {} is not at {}", name.text(), object.string()),
              "restore it from a backup, or run coppice doctor");
}

bool MediaStore::contains(const MediaName& name) const {
  return ::access(path_of(name).c_str(), F_OK) == 0;
}

std::uintmax_t MediaStore::size_of(const MediaName& name) const {
  struct stat status {};
  const fs::path object = path_of(name);
  if (::stat(object.c_str(), &status) != 0) throw_errno("find the media object " + object.string());
  return static_cast<std::uintmax_t>(status.st_size);
}

void MediaStore::remove(const MediaName& name) {
  const FileDescriptor lock = lock_store(folder_, LOCK_EX, owner_);
  const fs::path object = path_of(name);
  if (::unlink(object.c_str()) != 0 && errno != ENOENT) throw_errno("remove " + object.string());
}

bool MediaStore::remove_if_older(const MediaName& name, std::int64_t modified_before_us) {
  const FileDescriptor lock = lock_store(folder_, LOCK_EX, owner_);
  const fs::path object = path_of(name);
  struct stat status {};
  if (::stat(object.c_str(), &status) != 0) {
    if (errno == ENOENT) return false;
    throw_errno("examine " + object.string());
  }
  if (changed_us(status) >= modified_before_us) return false;
  if (::unlink(object.c_str()) != 0) throw_errno("remove " + object.string());
  return true;
}

void MediaStore::for_each(
    const std::function<void(const MediaName&, std::uintmax_t, std::int64_t)>& visit) const {
  std::error_code failed;
  for (const fs::directory_entry& folder : fs::directory_iterator(folder_ / "sha256")) {
    if (!folder.is_directory(failed)) continue;
    for (const fs::directory_entry& file : fs::directory_iterator(folder.path())) {
      const auto name = MediaName::parse("media:" + file.path().filename().string());
      struct stat status {};
      if (!name || name->sha256_hex.substr(0, 2) != folder.path().filename()) continue;
      if (::lstat(file.path().c_str(), &status) != 0 || !S_ISREG(status.st_mode)) continue;
      visit(*name, static_cast<std::uintmax_t>(status.st_size), changed_us(status));
    }
  }
}

void MediaStore::sweep_incoming(std::int64_t age_us) {
  const std::int64_t now_us = SystemClock().now_us();
  for (const fs::directory_entry& file : fs::directory_iterator(folder_ / "incoming")) {
    struct stat status {};
    if (::lstat(file.path().c_str(), &status) != 0 || !S_ISREG(status.st_mode)) continue;
    if (changed_us(status) > now_us - age_us) continue;
    if (::unlink(file.path().c_str()) != 0 && errno != ENOENT)
      throw_errno("remove " + file.path().string());
  }
}

}  // namespace coppice
