#include "functions/picture.h"

#include <fmt/core.h>

#include <nlohmann/json.hpp>

#include "base/text.h"
#include "functions/exif.h"
#include "functions/failure.h"
#include "functions/icc.h"
#include "functions/jpeg.h"
#include "functions/resample.h"
#include "functions/vips_codec.h"

namespace coppice::functions {
namespace {

constexpr int kDefaultQuality = 85;

ImageInfo info_of_jpeg(std::string_view bytes) {
  JpegHeader header = read_jpeg_header(bytes);
  ImageInfo info;
  info.format = "jpeg";
  info.stored = header.size;
  info.orientation = exif_orientation(header.exif);
  info.bands = header.components;
  info.exif = std::move(header.exif);
  info.icc_profile = std::move(header.icc_profile);
  return info;
}

ImageInfo info_by_vips(std::string_view bytes) {
  VipsHeader header = read_vips_header(bytes);
  ImageInfo info;
  info.format = header.format;
  info.stored = header.size;
  info.orientation = header.orientation;
  info.bands = header.bands;
  info.bits = header.bits;
  info.alpha = header.alpha;
  info.frames = header.frames;
  info.exif = std::move(header.exif);
  info.icc_profile = std::move(header.icc_profile);
  return info;
}

// CMYK needs colour management, which only libvips brings.
bool is_plain_jpeg(const ImageInfo& info) { return info.format == "jpeg" && info.bands != 4; }

ImageSize turned(ImageSize size, int orientation) {
  return orientation >= 5 ? ImageSize{size.height, size.width} : size;
}

Image jpeg_thumbnail(std::string_view bytes, const ImageInfo& info, ImageSize target) {
  const JpegHeader header = read_jpeg_header(bytes);
  const ImageSize stored_target = turned(target, info.orientation);
  const int divisor = jpeg_divisor(header.size, stored_target);
  const Image reduced = decode_jpeg(bytes, header, divisor);
  const Extent extent = {static_cast<double>(header.size.width) / divisor,
                         static_cast<double>(header.size.height) / divisor};
  return apply_orientation(
      convert_to_srgb(resample(reduced, extent, stored_target), info.icc_profile),
      info.orientation);
}

}  // namespace

Picture::Picture(EncodedImage encoded, const Limits& limits)
    : limits_(limits), made_of_pixels_(false), encoded_(std::move(encoded)) {}

Picture::Picture(Image pixels, const Limits& limits)
    : limits_(limits), made_of_pixels_(true), pixels_(std::move(pixels)) {}

const ImageInfo& Picture::info() {
  if (!info_) {
    const std::string& bytes = encoded().bytes;
    if (bytes.empty()) throw FunctionFailure("decode", "the image is empty: zero bytes");
    info_ = is_jpeg(bytes) ? info_of_jpeg(bytes) : info_by_vips(bytes);
  }
  return *info_;
}

ImageSize Picture::size() {
  if (made_of_pixels_) return {pixels_->width(), pixels_->height()};
  return info().shown();
}

const Image& Picture::pixels() {
  if (!pixels_) {
    limits_.check_pixels(info().stored.width, info().stored.height);
    pixels_ = decode();
  }
  return *pixels_;
}

Image Picture::decode() const {
  if (!is_plain_jpeg(*info_)) return decode_with_vips(encoded_->bytes);
  const JpegHeader header = read_jpeg_header(encoded_->bytes);
  return apply_orientation(
      convert_to_srgb(decode_jpeg(encoded_->bytes, header), info_->icc_profile),
      info_->orientation);
}

Image Picture::resized(std::int64_t box_width, std::int64_t box_height) {
  const ImageSize target = fit_inside(size(), box_width, box_height);
  limits_.check_pixels(target.width, target.height);
  if (!made_of_pixels_) {
    limits_.check_pixels(info().stored.width, info().stored.height);
    return is_plain_jpeg(*info_) ? jpeg_thumbnail(encoded_->bytes, *info_, target)
                                 : thumbnail_with_vips(encoded_->bytes, target);
  }
  return pixels_->has_alpha() ? resize_with_alpha(*pixels_, target) : resample(*pixels_, target);
}

const EncodedImage& Picture::encoded() {
  if (!encoded_) {
    const bool lossless = pixels_->lossless() || pixels_->has_alpha();
    encoded_ = encode_image(*pixels_, lossless ? "png" : "jpeg", kDefaultQuality);
  }
  return *encoded_;
}

nlohmann::json Picture::metadata() {
  const ImageInfo& facts = info();
  nlohmann::json result = {{"format", facts.format},
                           {"width", facts.shown().width},
                           {"height", facts.shown().height},
                           {"bands", facts.bands},
                           {"bits", facts.bits},
                           {"alpha", facts.alpha},
                           {"orientation", facts.orientation},
                           {"frames", facts.frames},
                           {"size_bytes", encoded().bytes.size()}};
  if (!facts.icc_profile.empty()) result["icc_profile"] = icc_description(facts.icc_profile);
  if (nlohmann::json exif = exif_facts(facts.exif); !exif.empty()) result["exif"] = exif;
  return result;
}

EncodedImage encode_image(const Image& image, const std::string& format, std::int64_t quality) {
  if (quality < 1 || quality > 100) {
    throw FunctionFailure("range", fmt::format("quality {} is not between 1 and 100", quality));
  }
  const int value = static_cast<int>(quality);
  const std::string name = lower(format);
  if (name == "jpeg" || name == "jpg") {
    return {image.has_alpha() ? encode_jpeg(flatten(image), value) : encode_jpeg(image, value),
            "jpg"};
  }
  if (name == "png") return {encode_with_vips(image, VipsFormat::kPng, value), "png"};
  if (name == "webp") return {encode_with_vips(image, VipsFormat::kWebp, value), "webp"};
  if (name == "avif") return {encode_with_vips(image, VipsFormat::kAvif, value), "avif"};
  if (name == "gif") return {encode_with_vips(image, VipsFormat::kGif, value), "gif"};
  if (name == "tiff" || name == "tif") {
    return {encode_with_vips(image, VipsFormat::kTiff, value), "tif"};
  }
  throw FunctionFailure("unsupported",
                        fmt::format("no image format \"{}\": it is one of jpeg, png, webp, avif, "
                                    "gif, tiff",
                                    format));
}

std::string extension_of_format(const std::string& format) {
  if (format == "jpeg") return "jpg";
  if (format == "tiff") return "tif";
  if (format == "heif") return "heic";
  return format;
}

}  // namespace coppice::functions
