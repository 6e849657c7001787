#include "repo/blob_ranges.h"

#include <fmt/core.h>

#include <algorithm>
#include <tuple>

#include "base/error.h"

namespace coppice::repo {
namespace {

// Bytes that nobody asked for cost less than another request.
constexpr std::uint64_t kMostGapBytes = 64 << 10;

struct Place {
  const IndexedPack* pack = nullptr;
  BlobRange::Blob blob;
};

bool fits(const BlobRange& range, const Place& place) {
  const std::uint64_t end = range.offset + range.size_bytes;
  const IndexEntry& entry = place.blob.entry;
  return range.pack.id == place.pack->id && entry.offset <= end + kMostGapBytes &&
         entry.offset + std::uint64_t{entry.frame_length} - range.offset <= kRangeBytes;
}

}  // namespace

std::vector<BlobRange> ranges_of(const Repository& repository, const std::vector<BlobId>& ids) {
  return repository.with_index([&](const Index& index) {
    std::vector<Place> places;
    for (std::size_t number = 0; number < ids.size(); ++number) {
      const auto found = index.find(ids[number]);
      if (found) places.push_back({found->pack, {*found->entry, number}});
    }
    std::sort(places.begin(), places.end(), [](const Place& one, const Place& other) {
      return std::tie(one.pack->id, one.blob.entry.offset, one.blob.number) <
             std::tie(other.pack->id, other.blob.entry.offset, other.blob.number);
    });
    std::vector<BlobRange> ranges;
    for (const Place& place : places) {
      const IndexEntry& entry = place.blob.entry;
      if (ranges.empty() || !fits(ranges.back(), place)) {
        ranges.push_back({*place.pack, entry.offset, 0, {}});
      }
      BlobRange& range = ranges.back();
      range.size_bytes = std::max(range.size_bytes,
                                  entry.offset + std::uint64_t{entry.frame_length} - range.offset);
      range.blobs.push_back(place.blob);
    }
    return ranges;
  });
}

void read_range(const Repository& repository, const BlobRange& range,
                const std::function<void(std::size_t number, std::string_view bytes)>& visit) {
  const std::string name = pack_name(range.pack.id);
  const std::string bytes = repository.store().get_part(name, range.offset, range.size_bytes);
  SealedReader reader(repository.keys(), range.pack.header());
  for (const BlobRange::Blob& blob : range.blobs) {
    const std::string_view frame =
        std::string_view(bytes).substr(blob.entry.offset - range.offset, blob.entry.frame_length);
    std::string plain;
    try {
      plain = open_blob(reader, blob.entry.in_pack(), blob.entry.number, frame);
    } catch (const Error& error) {
      if (error.code() != ErrorCode::kIntegrity) throw;
      throw Error(error.code(), fmt::format("{}: {}", name, error.message()), error.hint());
    }
    visit(blob.number, plain);
  }
}

}  // namespace coppice::repo
