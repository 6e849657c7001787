#include "functions/resample.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numbers>
#include <vector>

#include "base/error.h"

namespace coppice::functions {
namespace {

constexpr double kLobes = 3;

double lanczos(double x) {
  if (x == 0) return 1;
  if (std::abs(x) >= kLobes) return 0;
  const double pi_x = std::numbers::pi * x;
  return kLobes * std::sin(pi_x) * std::sin(pi_x / kLobes) / (pi_x * pi_x);
}

// The source samples that make one target sample, with weights that add up to one.
struct Taps {
  int first = 0;
  std::vector<float> weights;
};

std::vector<Taps> make_taps(int source_size, double extent, int target_size) {
  const double ratio = extent / target_size;
  const double stretch = std::max(1.0, ratio);  // the filter widens when it reduces
  std::vector<Taps> all(target_size);
  for (int i = 0; i < target_size; ++i) {
    const double centre = (i + 0.5) * ratio - 0.5;
    const int first = std::max(0, static_cast<int>(std::ceil(centre - kLobes * stretch)));
    const int last =
        std::min(source_size - 1, static_cast<int>(std::floor(centre + kLobes * stretch)));
    Taps& taps = all[i];
    taps.first = first;
    double sum = 0;
    for (int k = first; k <= last; ++k) sum += lanczos((k - centre) / stretch);
    for (int k = first; k <= last; ++k) {
      taps.weights.push_back(static_cast<float>(lanczos((k - centre) / stretch) / sum));
    }
  }
  return all;
}

// Four lanes: a pixel of up to three bands, so that one tap is one multiplication.
using Lanes = float __attribute__((vector_size(16)));

// sums[i] = weighted sum over the rows of taps, for the whole width.
void reduce_rows(const Image& image, const Taps& taps, std::vector<float>& sums) {
  std::fill(sums.begin(), sums.end(), 0.0F);
  const std::size_t count = image.row_bytes();
  float* out = sums.data();
  for (std::size_t k = 0; k < taps.weights.size(); ++k) {
    const std::uint8_t* row = image.row(taps.first + static_cast<int>(k));
    const float weight = taps.weights[k];
    for (std::size_t i = 0; i < count; ++i) out[i] += weight * static_cast<float>(row[i]);
  }
}

std::uint8_t to_byte(float value) {
  return static_cast<std::uint8_t>(std::clamp(value + 0.5F, 0.0F, 255.0F));
}

void reduce_columns(const std::vector<Lanes>& row, const std::vector<Taps>& all, int bands,
                    std::uint8_t* target) {
  for (const Taps& taps : all) {
    Lanes sum = {0, 0, 0, 0};
    const Lanes* source = row.data() + taps.first;
    for (std::size_t k = 0; k < taps.weights.size(); ++k) sum += taps.weights[k] * source[k];
    for (int band = 0; band < bands; ++band) *target++ = to_byte(sum[band]);
  }
}

// Averages blocks of factor_x x factor_y; the last blocks may have fewer pixels.
Image shrink_by_boxes(const Image& image, int factor_x, int factor_y) {
  const int bands = image.bands();
  Image result((image.width() + factor_x - 1) / factor_x,
               (image.height() + factor_y - 1) / factor_y, bands);
  result.set_lossless(image.lossless());
  std::vector<std::uint32_t> sums(image.row_bytes());
  for (int y = 0; y < result.height(); ++y) {
    const int row_begin = y * factor_y;
    const int row_end = std::min(image.height(), row_begin + factor_y);
    std::fill(sums.begin(), sums.end(), 0U);
    for (int row = row_begin; row < row_end; ++row) {
      const std::uint8_t* source = image.row(row);
      for (std::size_t i = 0; i < sums.size(); ++i) sums[i] += source[i];
    }
    std::uint8_t* target = result.row(y);
    for (int x = 0; x < result.width(); ++x) {
      const int column_begin = x * factor_x;
      const int column_end = std::min(image.width(), column_begin + factor_x);
      const std::uint32_t count =
          static_cast<std::uint32_t>((column_end - column_begin) * (row_end - row_begin));
      for (int band = 0; band < bands; ++band) {
        std::uint32_t sum = count / 2;
        for (int column = column_begin; column < column_end; ++column) {
          sum += sums[static_cast<std::size_t>(column) * bands + band];
        }
        *target++ = static_cast<std::uint8_t>(sum / count);
      }
    }
  }
  return result;
}

// Lanczos-3 over the part of an image that counts.
Image reduce(const Image& image, Extent extent, ImageSize target) {
  const int bands = image.bands();
  const std::vector<Taps> rows = make_taps(image.height(), extent.height, target.height);
  const std::vector<Taps> columns = make_taps(image.width(), extent.width, target.width);
  Image result(target.width, target.height, bands);
  result.set_lossless(image.lossless());
  std::vector<float> sums(image.row_bytes());
  std::vector<Lanes> pixels(image.width());
  for (int y = 0; y < target.height; ++y) {
    reduce_rows(image, rows[y], sums);
    for (int x = 0; x < image.width(); ++x) {
      const float* source = sums.data() + static_cast<std::size_t>(x) * bands;
      pixels[x] =
          bands == 3 ? Lanes{source[0], source[1], source[2], 0} : Lanes{source[0], 0, 0, 0};
    }
    reduce_columns(pixels, columns, bands, result.row(y));
  }
  return result;
}

// The whole factor that leaves at least twice the target.
int box_factor(int source, int target) { return std::max(1, source / (2 * target)); }

}  // namespace

Image resample(const Image& image, ImageSize target) {
  const Extent whole = {static_cast<double>(image.width()), static_cast<double>(image.height())};
  return resample(image, whole, target);
}

Image resample(const Image& image, Extent extent, ImageSize target) {
  COPPICE_ASSERT(image.bands() == 1 || image.bands() == 3);
  if (extent.width == target.width && extent.height == target.height) {
    return crop(image, 0, 0, target.width, target.height);
  }
  const int factor_x = box_factor(image.width(), target.width);
  const int factor_y = box_factor(image.height(), target.height);
  if (factor_x == 1 && factor_y == 1) return reduce(image, extent, target);
  return reduce(shrink_by_boxes(image, factor_x, factor_y),
                {extent.width / factor_x, extent.height / factor_y}, target);
}

}  // namespace coppice::functions
