// Packs: many blobs in one object.
//
// Model    A pack is built in memory, written in one go, and read by the places of its blobs.
// Units    Offsets and lengths are bytes of the object; a blob has at most kMostBlobBytes.
// Threads  An object belongs to one thread at a time.
// Errors   kIntegrity, saying what is wrong; the caller names the object.
// Source   docs/formats/repository.md, "Packs"
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "repo/sealed_object.h"

namespace coppice::repo {

inline constexpr std::size_t kMostBlobBytes = 16 << 20;

inline constexpr std::uint32_t kBlobCompressed = 1;
inline constexpr std::uint32_t kBlobTree = 2;

// Where a blob is in its pack.
struct PackEntry {
  BlobId id;
  std::uint32_t offset = 0;
  std::uint32_t frame_length = 0;
  std::uint32_t blob_length = 0;
  std::uint32_t flags = 0;
};

struct Pack {
  ObjectId id;
  std::string bytes;
  SealedHeader header;
  std::vector<PackEntry> entries;  // in the order of its frames
};

// What goes into a frame; made before the pack is locked, for compression takes long.
struct EncodedBlob {
  BlobId id;
  std::string_view plain;  // of the caller
  std::string compressed;  // where that is smaller
  std::uint32_t blob_length = 0;
  std::uint32_t flags = 0;
  std::string_view payload() const {
    return (flags & kBlobCompressed) != 0 ? std::string_view(compressed) : plain;
  }
};
EncodedBlob encode_blob(const BlobId& id, std::string_view bytes, bool tree);

class PackBuilder {
 public:
  explicit PackBuilder(const Keys& keys, std::string buffer = {})
      : writer_(keys, ObjectKind::kPack, std::move(buffer)) {}
  void add(const EncodedBlob& blob);
  bool empty() const { return entries_.empty(); }
  std::uint64_t size_bytes() const { return writer_.size_bytes(); }
  Pack finish();

 private:
  SealedWriter writer_;
  std::vector<PackEntry> entries_;
};

// Of a whole pack. Throws when it was cut short or is none.
std::vector<PackEntry> read_directory(const Keys& keys, std::string_view pack);
// Of its end: how long that must be, by the last kPackEndBytes, and the directory in it.
inline constexpr std::size_t kPackEndBytes = 8;
std::uint64_t directory_bytes(const Keys& keys, std::string_view last, std::uint64_t pack_bytes);
std::vector<PackEntry> read_directory(const Keys& keys, const SealedHeader& header,
                                      std::string_view end, std::uint64_t pack_bytes);
// The blob of a frame, as it was sealed. `number`: its place in the pack.
std::string open_blob(SealedReader& pack, const PackEntry& entry, std::uint32_t number,
                      std::string_view frame);
// Checks that it is the one that is wanted, too.
std::string read_blob(const Keys& keys, SealedReader& pack, const PackEntry& entry,
                      std::uint32_t number, std::string_view frame);

}  // namespace coppice::repo
