#include "functions/image.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <new>
#include <utility>

#include "base/error.h"

namespace coppice::functions {

Image::Image(int width, int height, int bands) : width_(width), height_(height), bands_(bands) {
  constexpr std::size_t kSlackBytes = 64;  // vector code of codecs may write past the last pixel
  pixels_.reset(static_cast<std::uint8_t*>(std::malloc(size_bytes() + kSlackBytes)));
  if (!pixels_) throw std::bad_alloc();
}

Image Image::copy() const {
  Image result(width_, height_, bands_);
  std::memcpy(result.data(), data(), size_bytes());
  result.lossless_ = lossless_;
  return result;
}

ImageSize fit_inside(ImageSize size, std::int64_t box_width, std::int64_t box_height) {
  const double by_width = static_cast<double>(box_width) / size.width;
  const double by_height = static_cast<double>(box_height) / size.height;
  const bool width_decides = box_height == 0 || (box_width != 0 && by_width <= by_height);
  const double scale = width_decides ? by_width : by_height;
  const auto scaled = [scale](int side) {
    return static_cast<int>(std::max(1.0, std::min(2e9, std::round(side * scale))));
  };
  return {scaled(size.width), scaled(size.height)};
}

Image crop(const Image& image, int left, int top, int width, int height) {
  COPPICE_ASSERT(left >= 0 && top >= 0 && left + width <= image.width() &&
                 top + height <= image.height());
  Image result(width, height, image.bands());
  result.set_lossless(image.lossless());
  for (int y = 0; y < height; ++y) {
    std::memcpy(result.row(y), image.row(top + y) + static_cast<std::size_t>(left) * image.bands(),
                result.row_bytes());
  }
  return result;
}

Image apply_orientation(Image image, int orientation) {
  return orientation < 2 || orientation > 8 ? std::move(image) : oriented(image, orientation);
}

Image oriented(const Image& image, int orientation) {
  if (orientation < 2 || orientation > 8) return image.copy();
  const int width = image.width();
  const int height = image.height();
  const bool transposed = orientation >= 5;
  Image result(transposed ? height : width, transposed ? width : height, image.bands());
  result.set_lossless(image.lossless());
  // Where the pixel (x, y) of the result comes from, by orientation.
  const bool flip_x = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
  const bool flip_y = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
  const int bands = image.bands();
  for (int y = 0; y < result.height(); ++y) {
    std::uint8_t* target = result.row(y);
    for (int x = 0; x < result.width(); ++x, target += bands) {
      const int across = transposed ? y : x;
      const int down = transposed ? x : y;
      const int from_x = flip_x ? width - 1 - across : across;
      const int from_y = flip_y ? height - 1 - down : down;
      std::memcpy(target, image.row(from_y) + static_cast<std::size_t>(from_x) * bands, bands);
    }
  }
  return result;
}

Image to_grayscale(const Image& image) {
  if (image.bands() <= 2) return image.copy();
  const int bands = image.bands();
  const int result_bands = bands - 2;
  Image result(image.width(), image.height(), result_bands);
  result.set_lossless(image.lossless());
  const std::uint8_t* source = image.data();
  std::uint8_t* target = result.data();
  const std::size_t count = static_cast<std::size_t>(image.width()) * image.height();
  for (std::size_t i = 0; i < count; ++i, source += bands, target += result_bands) {
    // Weights of 2^-16 that add up to one.
    target[0] = static_cast<std::uint8_t>(
        (19595 * source[0] + 38470 * source[1] + 7471 * source[2] + 32768) >> 16);
    if (result_bands == 2) target[1] = source[3];
  }
  return result;
}

Image flatten(const Image& image) {
  if (!image.has_alpha()) return image.copy();
  const int bands = image.bands();
  const int colours = bands - 1;
  Image result(image.width(), image.height(), colours);
  result.set_lossless(image.lossless());
  const std::uint8_t* source = image.data();
  std::uint8_t* target = result.data();
  const std::size_t count = static_cast<std::size_t>(image.width()) * image.height();
  for (std::size_t i = 0; i < count; ++i, source += bands, target += colours) {
    const int alpha = source[colours];
    for (int band = 0; band < colours; ++band) {
      target[band] =
          static_cast<std::uint8_t>((source[band] * alpha + 255 * (255 - alpha) + 127) / 255);
    }
  }
  return result;
}

}  // namespace coppice::functions
