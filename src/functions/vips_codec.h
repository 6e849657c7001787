// vips_codec: PNG, WebP, GIF, TIFF, AVIF/HEIF and CMYK JPEG through libvips, and the operations on
// pixels that are left to it: free rotation, resizing with alpha, colour profiles.
//
// Model    Only those loaders are reachable: SVG, PDF, ImageMagick and the like are blocked in the
//          process and by name here. Of animations and multi-page files the first image counts.
// Units    Images are [height, width, 1 to 4] uint8 in sRGB or grey, upright.
// Threads  libvips runs with one thread and without its cache; one caller at a time.
// Errors   FunctionFailure "decode" with the codec's own words; "unsupported" for formats.
#pragma once

#include <string>
#include <string_view>

#include "functions/image.h"

namespace coppice::functions {

// Prepares libvips, once a process. Throws Error{kInternal} when it cannot be started.
void start_vips();

struct VipsHeader {
  std::string format;  // "png", "webp", "gif", "tiff", "avif", "heif", "jpeg"
  ImageSize size;      // as stored
  int bands = 0;
  int bits = 8;  // a band
  bool alpha = false;
  int orientation = 1;
  int frames = 1;
  std::string exif;
  std::string icc_profile;
};
// Reads no pixels.
VipsHeader read_vips_header(std::string_view bytes);

Image decode_with_vips(std::string_view bytes);

// Decodes and scales to `target`, the size of the upright image, in one pass of little memory.
Image thumbnail_with_vips(std::string_view bytes, ImageSize target);

// Scales an image with alpha: colours count by their alpha.
Image resize_with_alpha(const Image& image, ImageSize target);

// Turns clockwise by any angle; the canvas grows, its new corners are black or transparent.
Image rotate_freely(const Image& image, double degrees);

// Converts pixels of `icc_profile` to sRGB; gives them back as they are when the profile is unfit.
Image convert_to_srgb(Image image, std::string_view icc_profile);

enum class VipsFormat { kPng, kWebp, kAvif, kGif, kTiff };
// `quality` is used by WebP and AVIF.
std::string encode_with_vips(const Image& image, VipsFormat format, int quality);

}  // namespace coppice::functions
