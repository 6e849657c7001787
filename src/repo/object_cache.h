// ObjectCache: what a client has read of a repository or written to it, as files of its own.
//
// Model    An entry is an object or a part of one, by its name, as it is stored: sealed. A file is
//          the SHA-256 of repository, name and bytes, then the bytes; one that does not fit is
//          removed and not there. An entry says nothing about whether the store still has the
//          object: the store is asked for names, the cache for bytes. Files that were not used for
//          longest are removed first.
// Units    Bytes of files.
// Threads  Any thread, any process: files appear whole, by renaming.
// Errors   None but for malformed names: what cannot be read is not there, and what cannot be
//          written is left out.
// Source   docs/formats/repository.md, "Caches of clients"
#pragma once

#include <cstdint>
#include <filesystem>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

namespace coppice::repo {

inline constexpr std::uint64_t kCacheBytes = std::uint64_t{1} << 30;

class ObjectCache {
 public:
  // The folder is made when something is kept. All repositories together have `most_bytes`.
  explicit ObjectCache(std::filesystem::path folder, std::uint64_t most_bytes = kCacheBytes)
      : folder_(std::move(folder)), most_bytes_(most_bytes) {}

  std::optional<std::string> get(const std::string& repository, const std::string& name);
  void put(const std::string& repository, const std::string& name, std::string_view bytes);
  void remove(const std::string& repository, const std::string& name);

 private:
  std::filesystem::path file(const std::string& repository, const std::string& name) const;
  void make_room(std::uint64_t bytes);

  const std::filesystem::path folder_;
  const std::uint64_t most_bytes_;
  std::mutex mutex_;
  std::optional<std::uint64_t> used_bytes_;  // of all processes, when it was last looked
  std::uint64_t since_bytes_ = 0;            // that this one has written since
};

}  // namespace coppice::repo
