// Many blobs read at once: those that lie next to each other in a pack by one request.
//
// Model    ranges_of() says where blobs are, read_range() reads some of them. That the bytes are
//          those that were sealed is proven where the repository is encrypted; that they are those
//          of the blob's id is not: for callers who take a digest of their own of what they get.
// Units    A range has kRangeBytes at most, or one blob.
// Threads  Any, once the repository's index is loaded.
// Errors   kIntegrity and kNotFound, naming the pack; those of the store. Blobs that were given
//          before are good. Repository::read() may find the others in another pack.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

#include "repo/repository.h"

namespace coppice::repo {

inline constexpr std::uint64_t kRangeBytes = std::uint64_t{4} << 20;

struct BlobRange {
  struct Blob {
    IndexEntry entry;
    std::size_t number = 0;  // in the list that was asked for
  };
  IndexedPack pack;
  std::uint64_t offset = 0, size_bytes = 0;
  std::vector<Blob> blobs;  // in the order of their places
};

// A blob that is in no index is in no range.
std::vector<BlobRange> ranges_of(const Repository& repository, const std::vector<BlobId>& ids);
void read_range(const Repository& repository, const BlobRange& range,
                const std::function<void(std::size_t number, std::string_view bytes)>& visit);

}  // namespace coppice::repo
