// Planes of a video frame in the colours of a JPEG.
//
// Model    Three planes of 8 bits, chroma halved both ways. Videos leave head and foot room (16 to
//          235) and mostly use the luma of BT.709; a JPEG uses all values and that of BT.601. The
//          chroma of a 2 x 2 block corrects the luma of its four pixels.
// Units    Sides are even; strides are bytes.
#pragma once

#include <array>
#include <cstdint>

namespace coppice::functions {

struct LumaWeights {
  double red = 0.299;
  double blue = 0.114;
  bool operator==(const LumaWeights&) const = default;
};
inline constexpr LumaWeights kBt601 = {0.299, 0.114};
inline constexpr LumaWeights kBt709 = {0.2126, 0.0722};
inline constexpr LumaWeights kBt2020 = {0.2627, 0.0593};

struct YuvPlanes {
  std::array<const std::uint8_t*, 3> data{};
  std::array<int, 3> strides{};
  int width = 0;
  int height = 0;
};

// Writes the planes one after the other to `target`, which holds width x height x 3 / 2 bytes,
// without padding.
void convert_to_jfif(const YuvPlanes& source, LumaWeights weights, bool full_range,
                     std::uint8_t* target);

}  // namespace coppice::functions
