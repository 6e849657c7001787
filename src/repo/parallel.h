// Work on many objects at once, within a bound of memory.
//
// Model    Pieces are begun in their order, by the calling thread and some more. A piece waits
//          until those under way leave room for its bytes; alone it may have any size.
// Threads  One thread calls it; `work` is called from several.
// Errors   The first that a piece throws ends it when those under way are done, and is thrown.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>

namespace coppice::repo {

struct ParallelOptions {
  unsigned threads = 4;  // also on few cores: files are waited for
  std::uint64_t bytes = std::uint64_t{128} << 20;
};

void for_each_parallel(std::size_t count, const ParallelOptions& options,
                       const std::function<std::uint64_t(std::size_t)>& bytes_of,
                       const std::function<void(std::size_t)>& work);

}  // namespace coppice::repo
