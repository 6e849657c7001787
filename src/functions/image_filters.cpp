#include "functions/image_filters.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "base/text.h"
#include "functions/failure.h"

namespace coppice::functions {
namespace {

std::uint8_t to_byte(double value) {
  return static_cast<std::uint8_t>(std::clamp(value + 0.5, 0.0, 255.0));
}

int colour_bands(const Image& image) { return image.bands() - (image.has_alpha() ? 1 : 0); }

// Every colour band through a table.
template <typename Change>
Image through_table(const Image& image, Change change) {
  std::array<std::uint8_t, 256> table{};
  for (int i = 0; i < 256; ++i) table[i] = to_byte(change(i));
  Image result = image.copy();
  const int bands = image.bands();
  const int colours = colour_bands(image);
  std::uint8_t* pixel = result.data();
  const std::uint8_t* end = pixel + result.size_bytes();
  for (; pixel < end; pixel += bands) {
    for (int band = 0; band < colours; ++band) pixel[band] = table[pixel[band]];
  }
  return result;
}

double luma(const std::uint8_t* pixel) {
  return 0.299 * pixel[0] + 0.587 * pixel[1] + 0.114 * pixel[2];
}

std::vector<float> gaussian(double sigma) {
  const int radius = std::max(1, static_cast<int>(std::ceil(3 * sigma)));
  std::vector<float> weights(2 * static_cast<std::size_t>(radius) + 1);
  double sum = 0;
  for (int i = -radius; i <= radius; ++i) sum += std::exp(-0.5 * i * i / (sigma * sigma));
  for (int i = -radius; i <= radius; ++i) {
    weights[i + radius] = static_cast<float>(std::exp(-0.5 * i * i / (sigma * sigma)) / sum);
  }
  return weights;
}

// Rows of floats, colours multiplied by alpha.
std::vector<float> premultiplied(const Image& image) {
  std::vector<float> values(image.size_bytes());
  const int bands = image.bands();
  const int colours = colour_bands(image);
  for (std::size_t i = 0; i < values.size(); i += bands) {
    const std::uint8_t* pixel = image.data() + i;
    const float alpha = image.has_alpha() ? static_cast<float>(pixel[colours]) / 255 : 1;
    for (int band = 0; band < colours; ++band) {
      values[i + band] = static_cast<float>(pixel[band]) * alpha;
    }
    if (image.has_alpha()) values[i + colours] = pixel[colours];
  }
  return values;
}

Image straightened(const std::vector<float>& values, const Image& like) {
  Image image(like.width(), like.height(), like.bands());
  image.set_lossless(like.lossless());
  const int bands = like.bands();
  const int colours = colour_bands(like);
  for (std::size_t i = 0; i < values.size(); i += bands) {
    const float alpha = like.has_alpha() ? values[i + colours] / 255 : 1;
    for (int band = 0; band < colours; ++band) {
      image.data()[i + band] = alpha > 0 ? to_byte(values[i + band] / alpha) : 0;
    }
    if (like.has_alpha()) image.data()[i + colours] = to_byte(values[i + colours]);
  }
  return image;
}

// Along lines of `count` samples that lie `step` apart; `line_of(i)` is where line i begins.
template <typename LineOf>
void blur_lines(std::vector<float>& values, const std::vector<float>& weights, int lines, int count,
                std::size_t step, LineOf line_of) {
  const int radius = static_cast<int>(weights.size() / 2);
  std::vector<float> padded_line(static_cast<std::size_t>(count) + 2 * radius);
  for (int i = 0; i < lines; ++i) {
    float* line = values.data() + line_of(i);
    for (int k = -radius; k < count + radius; ++k) {
      padded_line[k + radius] = line[step * std::clamp(k, 0, count - 1)];
    }
    for (int k = 0; k < count; ++k) {
      float sum = 0;
      for (std::size_t tap = 0; tap < weights.size(); ++tap) {
        sum += weights[tap] * padded_line[k + tap];
      }
      line[step * k] = sum;
    }
  }
}

void fill_row(Image& image, int y, int begin, int end, Colour colour) {
  const int colours = colour_bands(image);
  for (int x = std::max(0, begin); x < std::min(image.width(), end); ++x) {
    std::uint8_t* pixel = image.row(y) + static_cast<std::size_t>(x) * image.bands();
    for (int band = 0; band < colours; ++band) pixel[band] = colour[band];
    if (image.has_alpha()) pixel[colours] = 255;
  }
}

// A grey picture cannot show a colour, unless that is grey.
Image ready_for(const Image& image, Colour colour) {
  const bool grey = colour[0] == colour[1] && colour[1] == colour[2];
  return colour_bands(image) == 3 || grey ? image.copy()
                                          : with_bands(image, image.has_alpha() ? 4 : 3);
}

}  // namespace

Colour parse_colour(const std::string& text) {
  struct Named {
    std::string_view name;
    Colour colour;
  };
  constexpr std::array<Named, 10> kNamed = {{{"black", {0, 0, 0}},
                                             {"white", {255, 255, 255}},
                                             {"grey", {128, 128, 128}},
                                             {"gray", {128, 128, 128}},
                                             {"red", {255, 0, 0}},
                                             {"green", {0, 128, 0}},
                                             {"blue", {0, 0, 255}},
                                             {"yellow", {255, 255, 0}},
                                             {"cyan", {0, 255, 255}},
                                             {"magenta", {255, 0, 255}}}};
  const std::string wanted = lower(text);
  for (const Named& named : kNamed) {
    if (named.name == wanted) return named.colour;
  }
  const bool digits = wanted.size() == 7 && wanted[0] == '#' &&
                      wanted.find_first_not_of("0123456789abcdef", 1) == std::string::npos;
  if (!digits) {
    throw FunctionFailure("range",
                          fmt::format("\"{}\" is no colour: give one as #ff8000, or black, "
                                      "white, grey, red, green, blue, yellow, cyan, "
                                      "magenta",
                                      text));
  }
  const auto part = [&](int at) {
    return static_cast<std::uint8_t>(std::stoi(wanted.substr(at, 2), nullptr, 16));
  };
  return {part(1), part(3), part(5)};
}

Image with_brightness(const Image& image, double factor) {
  return through_table(image, [=](int value) { return value * factor; });
}

Image with_contrast(const Image& image, double factor) {
  return through_table(image, [=](int value) { return 128 + (value - 128) * factor; });
}

Image with_saturation(const Image& image, double factor) {
  Image result = image.copy();
  if (colour_bands(image) < 3) return result;
  for (std::size_t i = 0; i < result.size_bytes(); i += result.bands()) {
    std::uint8_t* pixel = result.data() + i;
    const double grey = luma(pixel);
    for (int band = 0; band < 3; ++band)
      pixel[band] = to_byte(grey + (pixel[band] - grey) * factor);
  }
  return result;
}

Image blurred(const Image& image, double sigma) {
  const std::vector<float> weights = gaussian(sigma);
  std::vector<float> values = premultiplied(image);
  const int bands = image.bands();
  const std::size_t row = image.row_bytes();
  for (int band = 0; band < bands; ++band) {
    blur_lines(values, weights, image.height(), image.width(), bands,
               [&](int y) { return row * y + band; });
  }
  blur_lines(values, weights, static_cast<int>(row), image.height(), row,
             [](int column) { return static_cast<std::size_t>(column); });
  return straightened(values, image);
}

Image sharpened(const Image& image, double amount, double sigma) {
  const Image soft = blurred(image, sigma);
  Image result = image.copy();
  const int bands = image.bands();
  const int colours = colour_bands(image);
  for (std::size_t i = 0; i < result.size_bytes(); i += bands) {
    for (std::size_t k = i; k < i + colours; ++k) {
      const int value = image.data()[k];
      result.data()[k] = to_byte(value + amount * (value - soft.data()[k]));
    }
  }
  return result;
}

Image padded(const Image& image, ImageSize canvas, Colour colour) {
  const Image source = ready_for(image, colour);
  Image result(canvas.width, canvas.height, source.bands());
  result.set_lossless(image.lossless());
  const int left = (canvas.width - source.width()) / 2;
  const int top = (canvas.height - source.height()) / 2;
  for (int y = 0; y < canvas.height; ++y) {
    fill_row(result, y, 0, canvas.width, colour);
    if (y < top || y >= top + source.height()) continue;
    std::memcpy(result.row(y) + static_cast<std::size_t>(left) * source.bands(),
                source.row(y - top), source.row_bytes());
  }
  return result;
}

Image pasted(const Image& base, const Image& top, std::int64_t left, std::int64_t upper,
             double opacity) {
  const bool wants_colour = colour_bands(top) == 3 && colour_bands(base) == 1;
  Image result = wants_colour ? with_bands(base, base.has_alpha() ? 4 : 3) : base.copy();
  const Image source = with_bands(top, 4);
  const int colours = colour_bands(result);
  for (int y = 0; y < source.height(); ++y) {
    const std::int64_t to_y = upper + y;
    if (to_y < 0 || to_y >= result.height()) continue;
    for (int x = 0; x < source.width(); ++x) {
      const std::int64_t to_x = left + x;
      if (to_x < 0 || to_x >= result.width()) continue;
      const std::uint8_t* from = source.row(y) + 4 * static_cast<std::size_t>(x);
      std::uint8_t* to = result.row(static_cast<int>(to_y)) + to_x * result.bands();
      const double above = opacity * from[3] / 255;
      const double below = (1 - above) * (result.has_alpha() ? to[colours] / 255.0 : 1);
      const double sum = above + below;
      for (int band = 0; band < colours && sum > 0; ++band) {
        const double value = colours == 1 ? luma(from) : from[band];
        to[band] = to_byte((value * above + to[band] * below) / sum);
      }
      if (result.has_alpha()) to[colours] = to_byte(sum * 255);
    }
  }
  return result;
}

Image with_boxes(const Image& image, const std::vector<std::array<double, 4>>& boxes, Colour colour,
                 int thickness) {
  Image result = ready_for(image, colour);
  const auto pixel = [](double at) {
    return static_cast<int>(std::lround(std::clamp(at, -1e6, 1e6)));
  };
  for (const auto& box : boxes) {
    const int left = pixel(box[0]);
    const int top = pixel(box[1]);
    const int right = pixel(box[2]);
    const int bottom = pixel(box[3]);
    for (int y = std::max(0, top); y < std::min(result.height(), bottom); ++y) {
      if (y < top + thickness || y >= bottom - thickness) {
        fill_row(result, y, left, right, colour);
      } else {
        fill_row(result, y, left, std::min(right, left + thickness), colour);
        fill_row(result, y, std::max(left, right - thickness), right, colour);
      }
    }
  }
  return result;
}

Image with_bands(const Image& image, int bands) {
  if (image.bands() == bands) return image.copy();
  const bool keeps_alpha = bands == 4;
  const Image source = image.has_alpha() && !keeps_alpha ? flatten(image) : image.copy();
  if (bands == 1) return to_grayscale(source);
  if (source.bands() == bands) return source.copy();
  Image result(source.width(), source.height(), bands);
  result.set_lossless(source.lossless());
  const int colours = colour_bands(source);
  const std::size_t count = static_cast<std::size_t>(source.width()) * source.height();
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint8_t* from = source.data() + i * source.bands();
    std::uint8_t* to = result.data() + i * bands;
    for (int band = 0; band < 3; ++band) to[band] = from[colours == 1 ? 0 : band];
    if (bands == 4) to[3] = source.has_alpha() ? from[colours] : 255;
  }
  return result;
}

}  // namespace coppice::functions
