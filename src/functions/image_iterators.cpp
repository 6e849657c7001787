// tiles: the iterator of images.
#include <fmt/core.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "functions/call.h"
#include "functions/failure.h"
#include "functions/rows.h"

namespace coppice::functions {
namespace {

// Where tiles begin along one side: the last one reaches the end.
std::vector<int> begins_of(int length, std::int64_t size, std::int64_t overlap) {
  std::vector<int> begins = {0};
  while (begins.back() + size < length) {
    begins.push_back(static_cast<int>(begins.back() + size - overlap));
  }
  return begins;
}

Operand tiles(const Call& call) {
  constexpr std::int64_t kLargest = 65535;
  const std::int64_t size = call.integer(1);
  const std::int64_t overlap = call.integer(2);
  if (size < 1 || size > kLargest || overlap < 0 || overlap >= size) {
    throw FunctionFailure("range", fmt::format("tiles of size {} with an overlap of {}: the size "
                                               "is 1 to {}, the overlap 0 or more and less than "
                                               "the size",
                                               size, overlap, kLargest));
  }
  const ImageSize whole = call.picture(0).size();
  const double step = static_cast<double>(size - overlap);
  check_row_count((whole.width / step) * (whole.height / step) / 4, call.limits);
  const Image& pixels = call.picture(0).pixels();
  IteratorRows rows(call.limits);
  for (const int top : begins_of(pixels.height(), size, overlap)) {
    for (const int left : begins_of(pixels.width(), size, overlap)) {
      const int width = std::min(static_cast<int>(size), pixels.width() - left);
      const int height = std::min(static_cast<int>(size), pixels.height() - top);
      Media tile(Picture(crop(pixels, left, top, width, height), call.limits));
      rows.add({{"left", left}, {"top", top}, {"tile", tile.stored(call.store).text}});
    }
  }
  return rows.give();
}

}  // namespace

void add_image_iterators(Implementations& all) { all["tiles(image,bigint,bigint)"] = tiles; }

}  // namespace coppice::functions
