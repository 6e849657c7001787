// Picture: an image within one row, encoded, decoded or both, each made when first asked for.
//
// Model    A chain of calls passes pictures on without encoding them. What a picture gives depends
//          only on what it was made from, never on what was asked of it before: so the same call
//          gives the same bytes, whatever else is computed in its row.
// Units    Sizes are in pixels, as shown: EXIF's orientation is applied.
// Errors   FunctionFailure "decode" and "limit".
// Threads  Used by one thread.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "functions/image.h"
#include "functions/limits.h"

namespace coppice::functions {

struct EncodedImage {
  std::string bytes;
  std::string extension;  // "jpg", "png", "webp", "avif", "heic", "gif", "tif"
};

// What the header of an encoded image says.
struct ImageInfo {
  std::string format;  // "jpeg", "png", "webp", "gif", "tiff", "avif", "heif"
  ImageSize stored;
  int orientation = 1;
  int bands = 0;
  int bits = 8;
  bool alpha = false;
  int frames = 1;
  std::string exif;
  std::string icc_profile;

  ImageSize shown() const {
    return orientation >= 5 ? ImageSize{stored.height, stored.width} : stored;
  }
};

class Picture {
 public:
  Picture(EncodedImage encoded, const Limits& limits);
  Picture(Image pixels, const Limits& limits);

  ImageSize size();
  // The whole image, decoded.
  const Image& pixels();
  // A JPEG is decoded at a reduced scale where that is enough.
  Image resized(std::int64_t box_width, std::int64_t box_height);
  // As it was encoded; pixels become JPEG at quality 85 or, when lossless or transparent, PNG.
  const EncodedImage& encoded();
  // Format, size, bands, EXIF, …: of encoded().
  nlohmann::json metadata();
  const ImageInfo& info();

 private:
  Image decode() const;

  const Limits& limits_;
  bool made_of_pixels_;
  std::optional<EncodedImage> encoded_;
  std::optional<Image> pixels_;
  std::optional<ImageInfo> info_;
};

// "jpeg" or "jpg", "png", "webp", "avif", "gif", "tiff" or "tif"; any case. FunctionFailure
// "unsupported" for others, "range" for a quality outside 1 to 100. Alpha is laid on white for
// JPEG.
EncodedImage encode_image(const Image& image, const std::string& format, std::int64_t quality);

// "jpeg" -> "jpg", "heif" -> "heic", …
std::string extension_of_format(const std::string& format);

}  // namespace coppice::functions
