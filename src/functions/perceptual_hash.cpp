#include "functions/perceptual_hash.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "functions/resample.h"

namespace coppice::functions {
namespace {

constexpr int kSide = 32;
constexpr int kKept = 8;

// The first kKept coefficients of the DCT-II of kSide samples that lie `stride` apart.
std::array<double, kKept> dct(const double* samples, int stride) {
  std::array<double, kKept> result{};
  for (int k = 0; k < kKept; ++k) {
    for (int n = 0; n < kSide; ++n) {
      result[k] += samples[n * stride] * std::cos(std::numbers::pi / kSide * (n + 0.5) * k);
    }
  }
  return result;
}

}  // namespace

std::uint64_t perceptual_hash_bits(const Image& image) {
  const Image grey = image.has_alpha() ? to_grayscale(flatten(image)) : to_grayscale(image);
  const Image small = resample(grey, {kSide, kSide});
  // Rows first: [kSide][kKept], then columns.
  std::array<double, kSide * kKept> rows{};
  for (int y = 0; y < kSide; ++y) {
    std::array<double, kSide> samples{};
    std::copy_n(small.row(y), kSide, samples.begin());
    const auto coefficients = dct(samples.data(), 1);
    std::copy(coefficients.begin(), coefficients.end(), rows.begin() + y * kKept);
  }
  std::array<double, kKept * kKept> low{};
  for (int x = 0; x < kKept; ++x) {
    const auto coefficients = dct(rows.data() + x, kKept);
    for (int y = 0; y < kKept; ++y) low[y * kKept + x] = coefficients[y];
  }
  // Rounded, so that the last bits of cos() on another machine do not decide a comparison.
  for (double& value : low) value = std::round(value * 1024) / 1024;
  auto sorted = low;
  std::sort(sorted.begin(), sorted.end());
  const double median = (sorted[31] + sorted[32]) / 2;
  std::uint64_t bits = 0;
  for (const double value : low) bits = bits << 1 | (value > median ? 1 : 0);
  return bits;
}

std::string perceptual_hash_text(const Image& image) {
  return fmt::format("{:016x}", perceptual_hash_bits(image));
}

}  // namespace coppice::functions
