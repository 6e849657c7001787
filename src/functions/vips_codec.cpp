#include "functions/vips_codec.h"

#include <fmt/core.h>
#include <vips/vips.h>

#include <algorithm>
#include <array>
#include <mutex>
#include <utility>

#include "base/error.h"
#include "base/text.h"
#include "functions/failure.h"
#include "functions/icc.h"

namespace coppice::functions {
namespace {

// Owns one reference to a VipsImage.
class Vips {
 public:
  Vips() = default;
  explicit Vips(VipsImage* image) : image_(image) {}
  Vips(Vips&& other) noexcept : image_(std::exchange(other.image_, nullptr)) {}
  Vips& operator=(Vips&& other) noexcept {
    std::swap(image_, other.image_);
    return *this;
  }
  ~Vips() {
    if (image_ != nullptr) g_object_unref(image_);
  }
  VipsImage* get() const { return image_; }
  // For calls that give a new image by their last argument.
  VipsImage** out() { return &image_; }

 private:
  VipsImage* image_ = nullptr;
};

std::string last_vips_error() {
  std::string text(trim(vips_error_buffer()));
  vips_error_clear();
  text = text.substr(0, text.find('\n'));
  return text.empty() ? "unknown reason" : text;
}

void check(int outcome, std::string_view format) {
  if (outcome == 0) return;
  throw FunctionFailure(
      "decode", fmt::format("the {} image cannot be decoded: {}", format, last_vips_error()));
}

void check_operation(int outcome, std::string_view operation) {
  if (outcome != 0) {
    throw FunctionFailure("internal", fmt::format("{}: {}", operation, last_vips_error()));
  }
}

// The loader's class by what the bytes are, restricted to the formats of image columns.
std::string format_of(std::string_view bytes) {
  struct Loader {
    std::string_view type;
    const char* format;
  };
  constexpr std::array kLoaders = {
      Loader{"VipsForeignLoadJpegBuffer", "jpeg"}, Loader{"VipsForeignLoadPngBuffer", "png"},
      Loader{"VipsForeignLoadWebpBuffer", "webp"}, Loader{"VipsForeignLoadNsgifBuffer", "gif"},
      Loader{"VipsForeignLoadTiffBuffer", "tiff"}, Loader{"VipsForeignLoadHeifBuffer", "heif"}};
  const char* found = vips_foreign_find_load_buffer(bytes.data(), bytes.size());
  vips_error_clear();
  const std::string_view type = found == nullptr ? "" : found;
  const auto* loader = std::find_if(kLoaders.begin(), kLoaders.end(),
                                    [&](const Loader& known) { return known.type == type; });
  if (loader == kLoaders.end()) {
    throw FunctionFailure("decode",
                          "the bytes are not an image of a known format (JPEG, PNG, WebP, GIF, "
                          "TIFF, AVIF or HEIF)");
  }
  return loader->format;
}

Vips open_image(std::string_view bytes, std::string_view format) {
  Vips image(vips_image_new_from_buffer(bytes.data(), bytes.size(), "", "access",
                                        VIPS_ACCESS_SEQUENTIAL, "fail_on", VIPS_FAIL_ON_ERROR,
                                        nullptr));
  check(image.get() == nullptr ? -1 : 0, format);
  return image;
}

std::string blob_of(VipsImage* image, const char* name) {
  const void* data = nullptr;
  std::size_t size = 0;
  if (vips_image_get_typeof(image, name) == 0 ||
      vips_image_get_blob(image, name, &data, &size) != 0) {
    vips_error_clear();
    return {};
  }
  return std::string(static_cast<const char*>(data), size);
}

int int_of(VipsImage* image, const char* name, int otherwise) {
  int value = otherwise;
  if (vips_image_get_typeof(image, name) == 0 || vips_image_get_int(image, name, &value) != 0) {
    vips_error_clear();
    return otherwise;
  }
  return value;
}

// A libvips image over our pixels, which must outlive it.
Vips wrap(const Image& image) {
  Vips plain(vips_image_new_from_memory(image.data(), image.size_bytes(), image.width(),
                                        image.height(), image.bands(), VIPS_FORMAT_UCHAR));
  check_operation(plain.get() == nullptr ? -1 : 0, "wrap");
  Vips result;
  const VipsInterpretation meaning =
      image.bands() <= 2 ? VIPS_INTERPRETATION_B_W : VIPS_INTERPRETATION_sRGB;
  check_operation(vips_copy(plain.get(), result.out(), "interpretation", meaning, nullptr), "copy");
  return result;
}

// Runs the pipeline that ends in `image`; decoding errors appear only here.
Image to_pixels(const Vips& image, std::string_view format) {
  std::size_t size = 0;
  void* memory = vips_image_write_to_memory(image.get(), &size);
  PixelBuffer pixels(static_cast<std::uint8_t*>(memory));
  check(memory == nullptr ? -1 : 0, format);
  Image result(image.get()->Xsize, image.get()->Ysize, image.get()->Bands, std::move(pixels));
  COPPICE_ASSERT(size == result.size_bytes());
  return result;
}

bool is_grey(VipsImage* image) {
  return image->Type == VIPS_INTERPRETATION_B_W || image->Type == VIPS_INTERPRETATION_GREY16;
}

// sRGB or grey, 8 bits a band, at most 4 bands.
Vips normalise(Vips image, std::string_view format) {
  const bool grey = is_grey(image.get());
  const std::string profile = blob_of(image.get(), VIPS_META_ICC_NAME);
  if (!grey && !icc_is_srgb(profile)) {
    Vips converted;
    if (vips_icc_transform(image.get(), converted.out(), "srgb", "embedded", TRUE, "intent",
                           VIPS_INTENT_RELATIVE, nullptr) == 0) {
      image = std::move(converted);
    }
    vips_error_clear();  // an unfit profile is treated as if there were none
  }
  Vips coloured;
  check(vips_colourspace(image.get(), coloured.out(),
                         grey ? VIPS_INTERPRETATION_B_W : VIPS_INTERPRETATION_sRGB, nullptr),
        format);
  Vips bytes;
  check(vips_cast(coloured.get(), bytes.out(), VIPS_FORMAT_UCHAR, nullptr), format);
  const int most_bands = grey ? 2 : 4;
  if (bytes.get()->Bands <= most_bands) return bytes;
  Vips fewer;
  check(vips_extract_band(bytes.get(), fewer.out(), 0, "n", most_bands, nullptr), format);
  return fewer;
}

// WebP tells by its chunks whether its pixels were stored without loss.
bool is_lossless(std::string_view bytes, std::string_view format) {
  if (format == "webp") return bytes.substr(0, 256).find("VP8L") != std::string_view::npos;
  return format == "png" || format == "gif" || format == "tiff";
}

}  // namespace

void start_vips() {
  static std::once_flag once;
  std::call_once(once, [] {
    // Warnings of codecs would mix with what the worker says; failures carry their text.
    g_log_set_handler(
        "VIPS", G_LOG_LEVEL_WARNING, [](auto, auto, auto, auto) {}, nullptr);
    if (VIPS_INIT("coppice-media") != 0) {
      throw Error(ErrorCode::kInternal, "libvips cannot be started: " + last_vips_error());
    }
    vips_concurrency_set(1);
    vips_cache_set_max(0);
    vips_block_untrusted_set(TRUE);
  });
}

VipsHeader read_vips_header(std::string_view bytes) {
  VipsHeader header;
  header.format = format_of(bytes);
  const Vips image = open_image(bytes, header.format);
  VipsImage* raw = image.get();
  header.size = {raw->Xsize, raw->Ysize};
  header.bands = raw->Bands;
  header.alpha = vips_image_hasalpha(raw) != 0;
  const int stored_bits = static_cast<int>(vips_format_sizeof(raw->BandFmt)) * 8;
  header.bits = int_of(raw, "bits-per-sample", int_of(raw, "heif-bitdepth", stored_bits));
  header.orientation = int_of(raw, VIPS_META_ORIENTATION, 1);
  header.frames = int_of(raw, VIPS_META_N_PAGES, 1);
  header.exif = blob_of(raw, VIPS_META_EXIF_NAME);
  header.icc_profile = blob_of(raw, VIPS_META_ICC_NAME);
  const char* compression = nullptr;
  if (header.format == "heif" && vips_image_get_typeof(raw, "heif-compression") != 0 &&
      vips_image_get_string(raw, "heif-compression", &compression) == 0 &&
      std::string_view(compression) == "av1") {
    header.format = "avif";
  }
  return header;
}

Image decode_with_vips(std::string_view bytes) {
  const std::string format = format_of(bytes);
  Vips image = normalise(open_image(bytes, format), format);
  Vips upright;
  if (int_of(image.get(), VIPS_META_ORIENTATION, 1) > 1) {
    // Turning reads pixels in another order than they are decoded in.
    Vips memory(vips_image_copy_memory(image.get()));
    check(memory.get() == nullptr ? -1 : 0, format);
    check(vips_autorot(memory.get(), upright.out(), nullptr), format);
    image = std::move(upright);
  }
  Image result = to_pixels(image, format);
  result.set_lossless(is_lossless(bytes, format));
  return result;
}

Image thumbnail_with_vips(std::string_view bytes, ImageSize target) {
  const std::string format = format_of(bytes);
  Vips image;
  check(vips_thumbnail_buffer(const_cast<char*>(bytes.data()), bytes.size(), image.out(),
                              target.width, "height", target.height, "size", VIPS_SIZE_FORCE,
                              "fail_on", VIPS_FAIL_ON_ERROR, nullptr),
        format);
  Image result = to_pixels(normalise(std::move(image), format), format);
  result.set_lossless(is_lossless(bytes, format));
  return result;
}

Image resize_with_alpha(const Image& image, ImageSize target) {
  const Vips source = wrap(image);
  Vips scaled;
  check_operation(vips_thumbnail_image(source.get(), scaled.out(), target.width, "height",
                                       target.height, "size", VIPS_SIZE_FORCE, nullptr),
                  "resize");
  Image result = to_pixels(normalise(std::move(scaled), "scaled"), "scaled");
  result.set_lossless(image.lossless());
  return result;
}

Image rotate_freely(const Image& image, double degrees) {
  const Vips source = wrap(image);
  Vips premultiplied;
  Vips rotated;
  VipsImage* input = source.get();
  if (image.has_alpha()) {
    check_operation(vips_premultiply(input, premultiplied.out(), nullptr), "premultiply");
    input = premultiplied.get();
  }
  VipsInterpolate* interpolate = vips_interpolate_new("bicubic");
  const int outcome =
      vips_rotate(input, rotated.out(), degrees, "interpolate", interpolate, nullptr);
  g_object_unref(interpolate);
  check_operation(outcome, "rotate");
  if (image.has_alpha()) {
    Vips straight;
    check_operation(vips_unpremultiply(rotated.get(), straight.out(), nullptr), "unpremultiply");
    rotated = std::move(straight);
  }
  Vips bytes;
  check_operation(vips_cast(rotated.get(), bytes.out(), VIPS_FORMAT_UCHAR, nullptr), "cast");
  Image result = to_pixels(bytes, "rotated");
  result.set_lossless(image.lossless());
  return result;
}

Image convert_to_srgb(Image image, std::string_view icc_profile) {
  if (icc_is_srgb(icc_profile) || image.bands() != 3) return image;
  const Vips source = wrap(image);
  vips_image_set_blob_copy(source.get(), VIPS_META_ICC_NAME, icc_profile.data(),
                           icc_profile.size());
  Vips converted;
  if (vips_icc_transform(source.get(), converted.out(), "srgb", "embedded", TRUE, "intent",
                         VIPS_INTENT_RELATIVE, nullptr) != 0) {
    vips_error_clear();
    return image;
  }
  Image result = to_pixels(converted, "converted");
  result.set_lossless(image.lossless());
  return result;
}

std::string encode_with_vips(const Image& image, VipsFormat format, int quality) {
  const Vips source = wrap(image);
  void* buffer = nullptr;
  std::size_t size = 0;
  int outcome = -1;
  switch (format) {
    case VipsFormat::kPng:
      outcome = vips_pngsave_buffer(source.get(), &buffer, &size, "compression", 6, nullptr);
      break;
    case VipsFormat::kWebp:
      outcome = vips_webpsave_buffer(source.get(), &buffer, &size, "Q", quality, nullptr);
      break;
    case VipsFormat::kAvif:
      outcome = vips_heifsave_buffer(source.get(), &buffer, &size, "Q", quality, "compression",
                                     VIPS_FOREIGN_HEIF_COMPRESSION_AV1, nullptr);
      break;
    case VipsFormat::kGif:
      outcome = vips_gifsave_buffer(source.get(), &buffer, &size, nullptr);
      break;
    case VipsFormat::kTiff:
      outcome = vips_tiffsave_buffer(source.get(), &buffer, &size, "compression",
                                     VIPS_FOREIGN_TIFF_COMPRESSION_DEFLATE, nullptr);
      break;
  }
  const std::unique_ptr<void, decltype(&g_free)> owner(buffer, &g_free);
  if (outcome != 0) {
    throw FunctionFailure("unsupported",
                          fmt::format("the {} x {} image cannot be encoded: {}", image.width(),
                                      image.height(), last_vips_error()));
  }
  return std::string(static_cast<const char*>(buffer), size);
}

}  // namespace coppice::functions
