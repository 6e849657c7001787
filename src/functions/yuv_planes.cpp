#include "functions/yuv_planes.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace coppice::functions {
namespace {

constexpr int kShift = 16;

std::int32_t fixed(double factor) {
  return static_cast<std::int32_t>(std::lround(factor * (1 << kShift)));
}

std::uint8_t to_byte(std::int32_t value) {
  return static_cast<std::uint8_t>(std::clamp(value >> kShift, 0, 255));
}

// luma' = luma * y + cb * y_from_cb + cr * y_from_cr + offsets, and so on, in units of 2^-16.
struct Matrix {
  std::int32_t y, y_offset;
  std::int32_t y_from_cb, y_from_cr;
  std::int32_t cb_from_cb, cb_from_cr;
  std::int32_t cr_from_cb, cr_from_cr;
};

Matrix make_matrix(LumaWeights from, bool full_range) {
  const double luma_scale = full_range ? 1.0 : 255.0 / 219;
  const double chroma_scale = full_range ? 1.0 : 255.0 / 224;
  const double from_green = 1 - from.red - from.blue;
  const double to_green = 1 - kBt601.red - kBt601.blue;
  // What red, green and blue take from each chroma of the source …
  const double red_cr = 2 * (1 - from.red);
  const double blue_cb = 2 * (1 - from.blue);
  const double green_cb = -from.blue * blue_cb / from_green;
  const double green_cr = -from.red * red_cr / from_green;
  // … and what the target's luma and chroma take from those.
  const double y_cb = kBt601.blue * blue_cb + to_green * green_cb;
  const double y_cr = kBt601.red * red_cr + to_green * green_cr;
  const double cb_norm = 2 * (1 - kBt601.blue);
  const double cr_norm = 2 * (1 - kBt601.red);
  Matrix matrix{};
  matrix.y = fixed(luma_scale);
  matrix.y_offset = -matrix.y * (full_range ? 0 : 16) + (1 << (kShift - 1));
  matrix.y_from_cb = fixed(y_cb * chroma_scale);
  matrix.y_from_cr = fixed(y_cr * chroma_scale);
  matrix.cb_from_cb = fixed((blue_cb - y_cb) / cb_norm * chroma_scale);
  matrix.cb_from_cr = fixed(-y_cr / cb_norm * chroma_scale);
  matrix.cr_from_cb = fixed(-y_cb / cr_norm * chroma_scale);
  matrix.cr_from_cr = fixed((red_cr - y_cr) / cr_norm * chroma_scale);
  return matrix;
}

void convert_luma(const std::uint8_t* source, const std::int32_t* offsets, std::int32_t scale,
                  int width, std::uint8_t* target) {
  for (int x = 0; x < width; ++x) target[x] = to_byte(source[x] * scale + offsets[x]);
}

// The chroma of one row, and what it adds to the two rows of luma that it covers.
void convert_chroma(const std::uint8_t* cb_row, const std::uint8_t* cr_row, const Matrix& matrix,
                    int width, std::uint8_t* cb_target, std::uint8_t* cr_target,
                    std::int32_t* luma_offsets) {
  constexpr std::int32_t kMiddle = (128 << kShift) + (1 << (kShift - 1));
  for (int x = 0; x < width; ++x) {
    const std::int32_t cb = cb_row[x] - 128;
    const std::int32_t cr = cr_row[x] - 128;
    cb_target[x] = to_byte(matrix.cb_from_cb * cb + matrix.cb_from_cr * cr + kMiddle);
    cr_target[x] = to_byte(matrix.cr_from_cb * cb + matrix.cr_from_cr * cr + kMiddle);
  }
  for (int x = 0; x < width; ++x) {
    const std::int32_t offset = matrix.y_offset + matrix.y_from_cb * (cb_row[x] - 128) +
                                matrix.y_from_cr * (cr_row[x] - 128);
    luma_offsets[2 * x] = offset;
    luma_offsets[2 * x + 1] = offset;
  }
}

}  // namespace

void convert_to_jfif(const YuvPlanes& source, LumaWeights weights, bool full_range,
                     std::uint8_t* target) {
  const Matrix matrix = make_matrix(weights, full_range);
  const int chroma_width = source.width / 2;
  const std::size_t luma_bytes = static_cast<std::size_t>(source.width) * source.height;
  std::uint8_t* cb = target + luma_bytes;
  std::uint8_t* cr = cb + luma_bytes / 4;
  std::vector<std::int32_t> luma_offsets(source.width);
  const auto row_of = [&](int plane, int y) {
    return source.data[plane] + static_cast<std::ptrdiff_t>(source.strides[plane]) * y;
  };
  for (int y = 0; y < source.height / 2; ++y, cb += chroma_width, cr += chroma_width) {
    convert_chroma(row_of(1, y), row_of(2, y), matrix, chroma_width, cb, cr, luma_offsets.data());
    for (const int row : {2 * y, 2 * y + 1}) {
      convert_luma(row_of(0, row), luma_offsets.data(), matrix.y, source.width,
                   target + static_cast<std::size_t>(source.width) * row);
    }
  }
}

}  // namespace coppice::functions
