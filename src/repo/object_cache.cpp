#include "repo/object_cache.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <tuple>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "base/files.h"
#include "base/sha256.h"
#include "objects/object_store.h"

namespace coppice::repo {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kDigestBytes = 32;
constexpr std::string_view kPartial = ".partial-";
constexpr std::int64_t kAbandonedSeconds = 3'600;

std::string digest_of(const std::string& repository, const std::string& name,
                      std::string_view bytes) {
  Sha256 sum;
  sum.update(repository + "\n" + name + "\n");
  sum.update(bytes);
  const Digest digest = sum.finish();
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

struct CachedFile {
  std::int64_t used_us = 0;
  std::uint64_t size_bytes = 0;
  fs::path path;
};

// Every file; what writers that are gone have left unfinished is removed.
std::vector<CachedFile> all_files(const fs::path& folder) {
  std::vector<CachedFile> files;
  const std::int64_t now = SystemClock().now_us() / 1'000'000;
  std::error_code failed;
  const auto options = fs::directory_options::skip_permission_denied;
  for (fs::recursive_directory_iterator each(folder, options, failed), end; !failed && each != end;
       each.increment(failed)) {
    struct stat status {};
    if (::lstat(each->path().c_str(), &status) != 0 || !S_ISREG(status.st_mode)) continue;
    const bool partial = each->path().filename().string().starts_with(kPartial);
    if (partial && now - status.st_mtim.tv_sec > kAbandonedSeconds) {
      ::unlink(each->path().c_str());
    } else if (!partial) {
      files.push_back(
          {std::int64_t{status.st_mtim.tv_sec} * 1'000'000 + status.st_mtim.tv_nsec / 1'000,
           static_cast<std::uint64_t>(status.st_size), each->path()});
    }
  }
  return files;
}

std::uint64_t total_bytes(const std::vector<CachedFile>& files) {
  std::uint64_t total = 0;
  for (const CachedFile& file : files) total += file.size_bytes;
  return total;
}

// Not durable: after a crash of the machine the digest tells.
void write_whole(const fs::path& file, std::string_view digest, std::string_view bytes) {
  const fs::path partial = file.parent_path() / (std::string(kPartial) + to_hex(random_bytes(8)));
  const FileDescriptor fd(
      ::open(partial.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd) throw_errno("write " + partial.string());
  try {
    write_all(fd.get(), digest, "write " + partial.string());
    write_all(fd.get(), bytes, "write " + partial.string());
    fs::rename(partial, file);
  } catch (...) {
    ::unlink(partial.c_str());
    throw;
  }
}

void make_private_folders(const fs::path& folder) {
  if (::mkdir(folder.c_str(), 0700) == 0 || errno != ENOENT) return;
  if (!folder.has_parent_path() || folder == folder.parent_path()) return;
  make_private_folders(folder.parent_path());
  ::mkdir(folder.c_str(), 0700);
}

}  // namespace

fs::path ObjectCache::file(const std::string& repository, const std::string& name) const {
  check_object_name(repository);
  check_object_name(name);
  return folder_ / repository / name;
}

std::optional<std::string> ObjectCache::get(const std::string& repository,
                                            const std::string& name) {
  const fs::path path = file(repository, name);
  std::string content;
  try {
    content = read_file(path);
  } catch (const Error&) {
    return std::nullopt;
  }
  const bool whole = content.size() >= kDigestBytes;
  const std::string_view bytes = std::string_view(content).substr(whole ? kDigestBytes : 0);
  if (!whole || content.compare(0, kDigestBytes, digest_of(repository, name, bytes)) != 0) {
    ::unlink(path.c_str());
    return std::nullopt;
  }
  ::utimensat(AT_FDCWD, path.c_str(), nullptr, 0);  // it was used now
  content.erase(0, kDigestBytes);
  return content;
}

void ObjectCache::put(const std::string& repository, const std::string& name,
                      std::string_view bytes) {
  const fs::path path = file(repository, name);
  const std::uint64_t size_bytes = bytes.size() + kDigestBytes;
  if (size_bytes > most_bytes_ / 2) return;
  try {
    make_room(size_bytes);
    make_private_folders(path.parent_path());
    write_whole(path, digest_of(repository, name, bytes), bytes);
  } catch (const Error&) {
    // No room, or no right to write: the store has it.
  } catch (const fs::filesystem_error&) {
  }
}

void ObjectCache::remove(const std::string& repository, const std::string& name) {
  ::unlink(file(repository, name).c_str());
}

// Looks at the files when this process begins, has written much, or there is no room.
void ObjectCache::make_room(std::uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  since_bytes_ += bytes;
  const bool fits = used_bytes_ && *used_bytes_ + since_bytes_ <= most_bytes_;
  if (fits && since_bytes_ <= most_bytes_ / 8) return;
  std::vector<CachedFile> files = all_files(folder_);
  std::uint64_t used = total_bytes(files);
  if (used + bytes > most_bytes_) {
    std::sort(files.begin(), files.end(), [](const CachedFile& one, const CachedFile& other) {
      return std::tie(one.used_us, one.path) < std::tie(other.used_us, other.path);
    });
    for (const CachedFile& oldest : files) {
      if (used + bytes <= most_bytes_ - most_bytes_ / 4) break;
      ::unlink(oldest.path.c_str());
      used -= oldest.size_bytes;
    }
  }
  used_bytes_ = used;
  since_bytes_ = bytes;
}

}  // namespace coppice::repo
