// Indexes: which blobs a repository has, and where.
//
// Model    An index object lists packs and, sorted, their blobs. An Index in memory is several of
//          them. Each backup adds one, so there may be thousands: small ones are searched together.
// Units    56 bytes of memory a blob, and 16 for those of small parts.
// Threads  Reading is safe from any thread while nobody adds.
// Errors   kIntegrity, saying what is wrong; the caller names the object.
// Source   docs/formats/repository.md, "Indexes"
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "repo/pack.h"

namespace coppice::repo {

inline constexpr std::size_t kMostIndexEntries = 1 << 20;

struct IndexedPack {
  ObjectId id;
  std::uint64_t size_bytes = 0;
  std::string epoch, salt;

  SealedHeader header() const { return {ObjectKind::kPack, epoch, salt}; }
};

struct IndexEntry {
  BlobId id;
  std::uint32_t pack = 0;    // in the index's list
  std::uint32_t number = 0;  // of the frame
  std::uint32_t offset = 0;
  std::uint32_t frame_length = 0;
  std::uint32_t blob_length = 0;
  std::uint32_t flags = 0;

  PackEntry in_pack() const { return {id, offset, frame_length, blob_length, flags}; }
};

// The content of one index object.
class IndexPart {
 public:
  void add(const Pack& pack);
  void add(const IndexedPack& pack, const std::vector<PackEntry>& entries);
  // A pack of another part.
  void add(const IndexPart& from, std::size_t pack_number);
  std::size_t entry_count() const { return entries_.size(); }
  bool empty() const { return packs_.empty(); }
  const std::vector<IndexedPack>& packs() const { return packs_; }
  const std::vector<IndexEntry>& entries() const { return entries_; }
  // Before it is searched or written.
  void sort();
  // Of the object that it was read from or written to.
  ObjectId object;
  // The first of those with this id, and how many there are.
  std::pair<std::size_t, std::size_t> find(const BlobId& id) const;

  std::string encode(const Keys& keys) const;
  static IndexPart decode(const Keys& keys, std::string_view object);

 private:
  std::vector<IndexedPack> packs_;
  std::vector<IndexEntry> entries_;
};

struct BlobPlace {
  const IndexedPack* pack = nullptr;
  const IndexEntry* entry = nullptr;
  std::size_t part = 0;         // of the index
  std::size_t entry_index = 0;  // of the part
};

class Index {
 public:
  void add(IndexPart part);
  // Those of another that were read from these objects.
  void take(Index&& from, const std::set<ObjectId>& objects);
  // Makes searching fast after many were added; add() does it now and then.
  void merge();
  // Each place of a blob, until `visit` gives false.
  void visit(const BlobId& id, const std::function<bool(const BlobPlace&)>& visit) const;
  // One that is in a pack for which `usable` holds, if that is given.
  std::optional<BlobPlace> find(const BlobId& id,
                                const std::function<bool(const ObjectId& pack)>& usable = {}) const;
  const std::deque<IndexPart>& parts() const { return parts_; }
  std::size_t entry_count() const;

 private:
  // An entry of a small part, by the begin of its id.
  struct Key {
    std::uint64_t prefix = 0;
    std::uint32_t part = 0, entry = 0;
    auto operator<=>(const Key&) const = default;
  };
  BlobPlace place(std::size_t part, std::size_t entry) const;

  std::deque<IndexPart> parts_;       // stay where they are when others are added
  std::vector<Key> keys_;             // of small parts, sorted
  std::size_t merged_ = 0;            // so many parts have been looked at for keys_
  std::vector<std::uint32_t> large_;  // of those, the ones that are not small
};

}  // namespace coppice::repo
