// Media of a backup: which objects it has, and the blobs that they are made of.
//
// Model    Objects are kept by the first digits of their digests, so that new ones change few
//          trees. A MediaMap reads such a part of an earlier backup when it is asked for a name in
//          it.
// Units    Sizes in bytes. Memory: what was read and added, about 200 bytes an object.
// Threads  One thread; trees are read and written by threads of their own.
// Errors   Those of the repository; kIntegrity for an object whose bytes are not those of its name.
// Source   docs/formats/backup.md, "Media"
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "backup/tree.h"
#include "media/store.h"

namespace coppice {

struct MediaObject {
  std::uint64_t size_bytes = 0;
  std::vector<repo::BlobId> blobs;
};
// By "<64 digits>.<ext>".
using MediaObjects = std::map<std::string, MediaObject>;

// Where the trees of a backup's media are, by prefix.
using MediaTrees = std::map<std::string, repo::BlobId>;

MediaObjects read_media_tree(const repo::Repository& repository, const repo::BlobId& tree);

class MediaMap {
 public:
  // `before`: of an earlier backup; none: of no backup.
  MediaMap(const repo::Repository& repository, MediaTrees before)
      : repository_(repository), trees_(std::move(before)) {}

  bool has(const std::string& name);
  // Side by side, what has() would read of these one after another.
  void read_parts_of(const std::set<std::string>& names);
  void add(const std::string& name, MediaObject object);
  // Only these stay.
  void keep_only(const std::set<std::string>& names);
  // Objects and bytes, after keep_only().
  std::pair<std::uint64_t, std::uint64_t> totals() const;
  // Writes what has changed, and gives where all are.
  MediaTrees write(repo::BlobWriter& writer);

  std::uint64_t added_objects() const { return added_objects_; }
  std::uint64_t added_bytes() const { return added_bytes_; }

 private:
  struct Part {
    MediaObjects objects;
    bool changed = false;
  };
  Part& part_of(const std::string& name);

  const repo::Repository& repository_;
  MediaTrees trees_;
  std::map<std::string, Part> parts_;  // that were read or added to
  std::uint64_t added_objects_ = 0, added_bytes_ = 0;
};

// The names of media objects that a field of a line names: its objects, the videos of its frames.
// Texts of other columns must not be given.
void for_each_media_name(std::string_view field,
                         const std::function<void(std::string_view name)>& visit);

}  // namespace coppice
