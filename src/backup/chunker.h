// Chunker: cuts a stream where its content says so, so that two streams that are mostly equal have
// mostly the same chunks, wherever in them the equal parts lie.
//
// Model    A gear hash rolls over the bytes: shifted by one bit a byte, it depends on the last 64.
//          A chunk ends where the hash is below a limit; the limit is stricter before the average
//          size than behind it, so that sizes lie close to it. Cuts depend on the bytes since the
//          last cut alone, never on how the stream was given. The table is the repository's own:
//          made from its id key, so that sizes of chunks do not tell which known file is there.
// Units    Bytes. Memory: `most` and what one call of add() is given.
// Threads  One thread a Chunker; a table is shared freely.
// Source   docs/formats/files.md, "Cutting"; Xia et al.: FastCDC, 2016; decision 0015.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "repo/keys.h"

namespace coppice {

using GearTable = std::array<std::uint64_t, 256>;

GearTable gear_table(const repo::Keys& keys);

struct ChunkSizes {
  std::size_t least = 0;
  std::size_t average = 0;  // a power of two
  std::size_t most = 0;
};

// By measurement on dumps: decision 0015. Large files get larger chunks: what is in them moves
// seldom, and each chunk has a price.
inline constexpr ChunkSizes kChunkSizes{16 << 10, 64 << 10, 256 << 10};
inline constexpr ChunkSizes kLargeChunkSizes{256 << 10, 1 << 20, 4 << 20};
inline constexpr std::uint64_t kLargeFileBytes = 64 << 20;

// The length of the first chunk of `bytes`, which are `most` or more, or all that is left.
std::size_t first_chunk(const GearTable& gear, const ChunkSizes& sizes, std::string_view bytes);

class Chunker {
 public:
  using Visit = std::function<void(std::string_view chunk)>;

  // `gear` is borrowed.
  explicit Chunker(const GearTable& gear, const ChunkSizes& sizes = kChunkSizes)
      : gear_(gear), sizes_(sizes) {}

  // Calls with the chunks that are complete, in their order; each is valid during the call.
  void add(std::string_view bytes, const Visit& visit);
  // The rest. The next add() begins another stream.
  void finish(const Visit& visit);

 private:
  const GearTable& gear_;
  const ChunkSizes sizes_;
  std::string buffer_;  // from the last cut on
};

}  // namespace coppice
