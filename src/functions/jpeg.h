// JPEG through libjpeg-turbo: headers, decoding at reduced scale, encoding.
//
// Model    The transform of JPEG can give an image at 1/2, 1/4 or 1/8 for less work than the whole;
//          thumbnails start there. Grey and colour only: CMYK goes through vips_codec.h.
// Units    Images are [height, width, 1 or 3] uint8, as stored: neither turned nor converted to
//          sRGB. Quality is 1 to 100; chroma is halved both ways below 90.
// Errors   FunctionFailure "decode" with the codec's own words. A file that ends early is an
//          error; bytes between markers and unusual scan parameters, which cameras write, are not.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "functions/image.h"
#include "functions/yuv_planes.h"

namespace coppice::functions {

bool is_jpeg(std::string_view bytes);

struct JpegHeader {
  ImageSize size;  // as stored
  int components = 0;
  std::string exif;             // the TIFF structure, or empty
  std::string icc_profile;      // put together from its parts, or empty
  std::size_t scan_offset = 0;  // where the first scan begins
};
JpegHeader read_jpeg_header(std::string_view bytes);

// 1, 2, 4 or 8: the largest divisor that leaves at least 1.4 x `target` on both sides.
int jpeg_divisor(ImageSize stored, ImageSize target);

// `divisor` is 1, 2, 4 or 8; sides are rounded up.
Image decode_jpeg(std::string_view bytes, const JpegHeader& header, int divisor = 1);

// 1 or 3 bands; no alpha.
std::string encode_jpeg(const Image& image, int quality);
// Planes in the colours of a JPEG, as convert_to_jfif gives them.
std::string encode_jpeg(const YuvPlanes& planes, int quality);

}  // namespace coppice::functions
