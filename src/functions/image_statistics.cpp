#include "functions/image_statistics.h"

#include <algorithm>
#include <cmath>

namespace coppice::functions {
namespace {

// Colours that are one to 1/32 of each band, with what they have of the whole.
struct Cell {
  std::array<std::int64_t, 3> sums{};
  std::int64_t count = 0;
  int value(int band) const { return static_cast<int>(sums[band] / count); }
};

std::vector<Cell> cells_of(const Image& image) {
  constexpr int kBits = 5;
  std::vector<Cell> all(std::size_t{1} << (3 * kBits));
  const int bands = image.bands();
  const bool colour = bands >= 3;
  for (std::size_t i = 0; i < image.size_bytes(); i += bands) {
    const std::uint8_t* pixel = image.data() + i;
    std::size_t index = 0;
    for (int band = 0; band < 3; ++band) {
      index = index << kBits | static_cast<std::size_t>(pixel[colour ? band : 0] >> (8 - kBits));
    }
    for (int band = 0; band < 3; ++band) all[index].sums[band] += pixel[colour ? band : 0];
    ++all[index].count;
  }
  std::erase_if(all, [](const Cell& cell) { return cell.count == 0; });
  return all;
}

using Box = std::vector<Cell>;

std::int64_t count_of(const Box& box) {
  std::int64_t count = 0;
  for (const Cell& cell : box) count += cell.count;
  return count;
}

// The band in which a box is widest, and how wide.
std::pair<int, int> widest(const Box& box) {
  std::pair<int, int> best = {0, -1};
  for (int band = 0; band < 3; ++band) {
    const auto [low, high] = std::minmax_element(
        box.begin(), box.end(),
        [band](const Cell& one, const Cell& other) { return one.value(band) < other.value(band); });
    const int width = high->value(band) - low->value(band);
    if (width > best.second) best = {band, width};
  }
  return best;
}

// Cuts a box in two at the median of its widest band; both have at least one cell.
Box split_off(Box& box) {
  const int band = widest(box).first;
  std::stable_sort(box.begin(), box.end(), [band](const Cell& one, const Cell& other) {
    return one.value(band) < other.value(band);
  });
  const std::int64_t half = count_of(box) / 2;
  std::size_t at = 0;
  for (std::int64_t passed = 0; at + 1 < box.size() && (at == 0 || passed + box[at].count <= half);
       ++at) {
    passed += box[at].count;
  }
  const auto middle = box.begin() + static_cast<std::ptrdiff_t>(at);
  Box upper(middle, box.end());
  box.erase(middle, box.end());
  return upper;
}

}  // namespace

std::vector<Histogram> histograms(const Image& image) {
  const int bands = image.bands();
  std::vector<Histogram> result(bands >= 3 ? 3 : 1);
  for (std::size_t i = 0; i < image.size_bytes(); i += bands) {
    for (std::size_t band = 0; band < result.size(); ++band) ++result[band][image.data()[i + band]];
  }
  return result;
}

double entropy_bits(const Image& image) {
  const Image grey = with_bands(image, 1);
  const Histogram histogram = histograms(grey)[0];
  const double total = static_cast<double>(grey.size_bytes());
  double bits = 0;
  for (const std::int64_t count : histogram) {
    if (count == 0) continue;
    const double share = static_cast<double>(count) / total;
    bits -= share * std::log2(share);
  }
  return bits;
}

double sharpness(const Image& image) {
  const Image grey = with_bands(image, 1);
  double sum = 0;
  double squares = 0;
  const auto at = [&](int x, int y) {
    return static_cast<int>(
        grey.row(std::clamp(y, 0, grey.height() - 1))[std::clamp(x, 0, grey.width() - 1)]);
  };
  for (int y = 0; y < grey.height(); ++y) {
    for (int x = 0; x < grey.width(); ++x) {
      const double value = at(x - 1, y) + at(x + 1, y) + at(x, y - 1) + at(x, y + 1) - 4 * at(x, y);
      sum += value;
      squares += value * value;
    }
  }
  const double count = static_cast<double>(grey.size_bytes());
  return squares / count - sum / count * (sum / count);
}

std::vector<double> mean_colour(const Image& image) {
  std::vector<double> means;
  for (const Histogram& histogram : histograms(image)) {
    double sum = 0;
    for (int value = 0; value < 256; ++value) sum += static_cast<double>(histogram[value]) * value;
    means.push_back(sum / (static_cast<double>(image.width()) * image.height()));
  }
  return means;
}

std::vector<ColourShare> dominant_colours(const Image& image, int count) {
  const Image opaque = image.has_alpha() ? flatten(image) : image.copy();
  std::vector<Box> boxes = {cells_of(opaque)};
  while (boxes.size() < static_cast<std::size_t>(count)) {
    // The box with the most pixels over the widest range is cut next.
    const auto weight = [](const Box& box) {
      return box.size() < 2 ? -1.0 : static_cast<double>(count_of(box)) * widest(box).second;
    };
    const auto next = std::max_element(
        boxes.begin(), boxes.end(),
        [&](const Box& one, const Box& other) { return weight(one) < weight(other); });
    if (next->size() < 2) break;
    Box upper = split_off(*next);
    boxes.push_back(std::move(upper));
  }
  std::vector<ColourShare> result;
  const double total = static_cast<double>(opaque.width()) * opaque.height();
  for (const Box& box : boxes) {
    const std::int64_t pixels = count_of(box);
    ColourShare share{{}, static_cast<double>(pixels) / total};
    for (int band = 0; band < 3; ++band) {
      std::int64_t sum = pixels / 2;
      for (const Cell& cell : box) sum += cell.sums[band];
      share.colour[band] = static_cast<std::uint8_t>(sum / pixels);
    }
    result.push_back(share);
  }
  std::stable_sort(
      result.begin(), result.end(),
      [](const ColourShare& one, const ColourShare& other) { return one.share > other.share; });
  return result;
}

}  // namespace coppice::functions
