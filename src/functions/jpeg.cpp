#include "functions/jpeg.h"

#include <fmt/core.h>
#include <turbojpeg.h>

#include <array>
#include <map>
#include <memory>
#include <new>

#include "base/error.h"
#include "functions/failure.h"

namespace coppice::functions {
namespace {

struct CloseTurbo {
  void operator()(void* handle) const { tjDestroy(handle); }
};
using Turbo = std::unique_ptr<void, CloseTurbo>;

Turbo checked(tjhandle handle) {
  if (handle == nullptr) throw std::bad_alloc();
  return Turbo(handle);
}

const unsigned char* data_of(std::string_view bytes) {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}

[[noreturn]] void fail(const std::string& reason) {
  throw FunctionFailure("decode", "the JPEG cannot be decoded: " + reason);
}

// Only the first warning of a file is kept by the library, so after a harmless one the end of the
// file is looked at here.
void check_warning(std::string_view bytes, const JpegHeader& header, const std::string& warning) {
  const bool harmless = warning.find("extraneous bytes") != std::string::npos ||
                        warning.find("SOS parameters") != std::string::npos;
  const std::size_t end = bytes.rfind("\xff\xd9");
  const bool ends = end != std::string_view::npos && end > header.scan_offset;
  if (harmless && ends) return;
  fail(ends ? warning : warning + " (the file is truncated: fetch it again)");
}

int number(std::string_view bytes, std::size_t at) {
  return static_cast<std::uint8_t>(bytes[at]) << 8 | static_cast<std::uint8_t>(bytes[at + 1]);
}

// Walks the segments before the first scan for EXIF data and the parts of an ICC profile.
void read_segments(std::string_view bytes, JpegHeader& header) {
  constexpr std::string_view kExif("Exif\0\0", 6);
  constexpr std::string_view kIcc("ICC_PROFILE\0", 12);
  constexpr int kStartOfScan = 0xda;
  std::map<int, std::string_view> icc_parts;
  std::size_t at = 2;
  while (at + 4 <= bytes.size() && static_cast<std::uint8_t>(bytes[at]) == 0xff) {
    const int marker = static_cast<std::uint8_t>(bytes[at + 1]);
    if (marker == 0xff) {  // fill byte
      ++at;
      continue;
    }
    if (marker == kStartOfScan) break;
    const std::size_t size = number(bytes, at + 2);
    if (size < 2 || at + 2 + size > bytes.size()) break;
    const std::string_view body = bytes.substr(at + 4, size - 2);
    if (marker == 0xe1 && body.starts_with(kExif) && header.exif.empty()) {
      header.exif = body.substr(kExif.size());
    } else if (marker == 0xe2 && body.starts_with(kIcc) && body.size() > kIcc.size() + 2) {
      icc_parts[body[kIcc.size()]] = body.substr(kIcc.size() + 2);
    }
    at += 2 + size;
  }
  for (const auto& [sequence, part] : icc_parts) header.icc_profile += part;
  header.scan_offset = at;
}

// NOLINTBEGIN(google-runtime-int): the library's type
// `run` makes the JPEG in a buffer of the library.
template <typename Run>
std::string compress(int width, int height, Run run) {
  constexpr int kMostPixels = 65535;
  if (width > kMostPixels || height > kMostPixels) {
    throw FunctionFailure("range", fmt::format("{} x {} pixels do not fit in a JPEG, whose sides "
                                               "are at most 65535; resize it or use png",
                                               width, height));
  }
  const Turbo turbo = checked(tjInitCompress());
  unsigned char* buffer = nullptr;
  unsigned long size = 0;
  const int outcome = run(turbo.get(), &buffer, &size);
  const std::unique_ptr<unsigned char, decltype(&tjFree)> owner(buffer, &tjFree);
  if (outcome != 0) {
    throw FunctionFailure("internal",
                          std::string("the JPEG encoder: ") + tjGetErrorStr2(turbo.get()));
  }
  return std::string(reinterpret_cast<const char*>(buffer), size);
}
// NOLINTEND(google-runtime-int)

}  // namespace

bool is_jpeg(std::string_view bytes) { return bytes.starts_with("\xff\xd8\xff"); }

JpegHeader read_jpeg_header(std::string_view bytes) {
  const Turbo turbo = checked(tjInitDecompress());
  JpegHeader header;
  int subsampling = 0;
  int colour_space = 0;
  if (tjDecompressHeader3(turbo.get(), data_of(bytes), bytes.size(), &header.size.width,
                          &header.size.height, &subsampling, &colour_space) != 0) {
    fail(tjGetErrorStr2(turbo.get()));
  }
  const bool cmyk = colour_space == TJCS_CMYK || colour_space == TJCS_YCCK;
  header.components = cmyk ? 4 : colour_space == TJCS_GRAY ? 1 : 3;
  read_segments(bytes, header);
  return header;
}

int jpeg_divisor(ImageSize stored, ImageSize target) {
  constexpr double kMargin = 1.4;
  for (const int divisor : {8, 4, 2}) {
    if (stored.width >= kMargin * divisor * target.width &&
        stored.height >= kMargin * divisor * target.height) {
      return divisor;
    }
  }
  return 1;
}

Image decode_jpeg(std::string_view bytes, const JpegHeader& header, int divisor) {
  const auto scaled = [divisor](int side) { return (side + divisor - 1) / divisor; };
  Image image(scaled(header.size.width), scaled(header.size.height),
              header.components == 1 ? 1 : 3);
  const Turbo turbo = checked(tjInitDecompress());
  const int format = image.bands() == 1 ? TJPF_GRAY : TJPF_RGB;
  // Progressive files may hold thousands of scans, each as costly as the whole: limited to 500.
  if (tjDecompress2(turbo.get(), data_of(bytes), bytes.size(), image.data(), image.width(), 0,
                    image.height(), format, TJFLAG_ACCURATEDCT | TJFLAG_LIMITSCANS) != 0) {
    const std::string reason = tjGetErrorStr2(turbo.get());
    if (tjGetErrorCode(turbo.get()) == TJERR_FATAL) fail(reason);
    check_warning(bytes, header, reason);
  }
  return image;
}

std::string encode_jpeg(const Image& image, int quality) {
  COPPICE_ASSERT(image.bands() == 1 || image.bands() == 3);
  const int format = image.bands() == 1 ? TJPF_GRAY : TJPF_RGB;
  const int subsampling = image.bands() == 1 ? TJSAMP_GRAY : quality < 90 ? TJSAMP_420 : TJSAMP_444;
  return compress(image.width(), image.height(),
                  [&](tjhandle turbo, unsigned char** buffer, unsigned long* size) {
                    return tjCompress2(turbo, image.data(), image.width(), 0, image.height(),
                                       format, buffer, size, subsampling, quality,
                                       TJFLAG_ACCURATEDCT);
                  });
}

std::string encode_jpeg(const YuvPlanes& planes, int quality) {
  std::array<const unsigned char*, 3> data = planes.data;
  return compress(planes.width, planes.height,
                  [&](tjhandle turbo, unsigned char** buffer, unsigned long* size) {
                    return tjCompressFromYUVPlanes(turbo, data.data(), planes.width,
                                                   planes.strides.data(), planes.height, TJSAMP_420,
                                                   buffer, size, quality, TJFLAG_ACCURATEDCT);
                  });
}

}  // namespace coppice::functions
