// Image: decoded pixels, and the operations on them that need no codec.
//
// Model    [height, width, bands] uint8, row after row without padding, in sRGB (3 bands) or grey
//          (1 band), with unassociated alpha as a last band (4 or 2 bands). Already upright: the
//          orientation of EXIF data has been applied.
// Units    Pixels. Orientation is EXIF's 1 to 8. Rectangles are left, top, width, height.
// Threads  A plain value; it moves, copy() copies.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>

namespace coppice::functions {

struct FreePixels {
  void operator()(std::uint8_t* pixels) const { std::free(pixels); }
};
// From malloc, because the codecs hand out their buffers so.
using PixelBuffer = std::unique_ptr<std::uint8_t[], FreePixels>;

class Image {
 public:
  Image() = default;
  // Pixels are not initialised. Throws std::bad_alloc.
  Image(int width, int height, int bands);
  // Takes a buffer of width x height x bands bytes.
  Image(int width, int height, int bands, PixelBuffer pixels)
      : width_(width), height_(height), bands_(bands), pixels_(std::move(pixels)) {}

  int width() const { return width_; }
  int height() const { return height_; }
  int bands() const { return bands_; }
  bool has_alpha() const { return bands_ == 2 || bands_ == 4; }
  // True when its source was stored without loss, so that results are stored so too.
  bool lossless() const { return lossless_; }
  void set_lossless(bool lossless) { lossless_ = lossless; }

  std::size_t row_bytes() const { return static_cast<std::size_t>(width_) * bands_; }
  std::size_t size_bytes() const { return row_bytes() * height_; }
  std::uint8_t* row(int y) { return pixels_.get() + row_bytes() * y; }
  const std::uint8_t* row(int y) const { return pixels_.get() + row_bytes() * y; }
  std::uint8_t* data() { return pixels_.get(); }
  const std::uint8_t* data() const { return pixels_.get(); }

  Image copy() const;

 private:
  int width_ = 0;
  int height_ = 0;
  int bands_ = 0;
  bool lossless_ = false;
  PixelBuffer pixels_;
};

struct ImageSize {
  int width = 0;
  int height = 0;
  bool operator==(const ImageSize&) const = default;
};

// The size of `width` x `height` scaled to fit a box, aspect ratio kept; 0 leaves a side free.
// No side is less than 1.
ImageSize fit_inside(ImageSize size, std::int64_t box_width, std::int64_t box_height);

// The rectangle must lie within the image.
Image crop(const Image& image, int left, int top, int width, int height);

// What a viewer does with EXIF's orientation: 1 leaves it, 3 turns by 180 degrees, 6 by 90 degrees
// clockwise, 8 by 270; 2, 4, 5 and 7 mirror as well.
Image oriented(const Image& image, int orientation);
// The same; an image that is upright already is not copied.
Image apply_orientation(Image image, int orientation);

// Luma of ITU-R BT.601: 0.299 R + 0.587 G + 0.114 B. Alpha stays.
Image to_grayscale(const Image& image);

// Alpha is laid on white.
Image flatten(const Image& image);

}  // namespace coppice::functions
