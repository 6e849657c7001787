// The engine functions that change pictures, and those that say what their pixels are like.
#include <fmt/core.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "functions/call.h"
#include "functions/failure.h"
#include "functions/image_filters.h"
#include "functions/image_statistics.h"

namespace coppice::functions {
namespace {

double checked(const char* name, double value, double least, double most) {
  if (!(value >= least) || value > most) {
    throw FunctionFailure(
        "range", fmt::format("{} is {}: it must be between {} and {}", name, value, least, most));
  }
  return value;
}

ImageSize checked_size(const Call& call) {
  constexpr std::int64_t kLongestSide = 65535;
  const std::int64_t width = call.integer(1);
  const std::int64_t height = call.integer(2);
  if (width < 1 || height < 1 || width > kLongestSide || height > kLongestSide) {
    throw FunctionFailure(
        "range", fmt::format("{} x {} is no size: sides are 1 to {}", width, height, kLongestSide));
  }
  call.limits.check_pixels(width, height);
  return {static_cast<int>(width), static_cast<int>(height)};
}

Operand flip(const Call& call) {
  const std::string direction = lower(call.text(1));
  if (direction != "horizontal" && direction != "vertical") {
    throw FunctionFailure(
        "range", fmt::format("direction is \"{}\": it is horizontal or vertical", call.text(1)));
  }
  return call.give(oriented(call.picture(0).pixels(), direction == "horizontal" ? 2 : 4));
}

// Scaled so that it covers the size, then cut to it around the middle.
Operand fit(const Call& call) {
  const ImageSize wanted = checked_size(call);
  const ImageSize whole = call.picture(0).size();
  const bool by_width = static_cast<double>(wanted.width) * whole.height >=
                        static_cast<double>(wanted.height) * whole.width;
  const Image covering =
      call.picture(0).resized(by_width ? wanted.width : 0, by_width ? 0 : wanted.height);
  // Rounding may leave a pixel too few on the other side.
  const int width = std::min(wanted.width, covering.width());
  const int height = std::min(wanted.height, covering.height());
  Image result = crop(covering, (covering.width() - width) / 2, (covering.height() - height) / 2,
                      width, height);
  if (width == wanted.width && height == wanted.height) return call.give(std::move(result));
  return call.give(Picture(std::move(result), call.limits).resized(wanted.width, wanted.height));
}

Operand pad(const Call& call) {
  const ImageSize wanted = checked_size(call);
  const Colour colour = parse_colour(call.text(3));
  return call.give(padded(call.picture(0).resized(wanted.width, wanted.height), wanted, colour));
}

Operand blur(const Call& call) {
  const double sigma = checked("sigma", call.number(1), 0.1, 200);
  return call.give(blurred(call.picture(0).pixels(), sigma));
}

Operand sharpen(const Call& call) {
  const double amount = checked("amount", call.number(1), 0, 10);
  const double sigma = checked("sigma", call.number(2), 0.1, 200);
  return call.give(sharpened(call.picture(0).pixels(), amount, sigma));
}

template <Image (*change)(const Image&, double)>
Operand by_factor(const Call& call) {
  const double factor = checked("factor", call.number(1), 0, 100);
  return call.give(change(call.picture(0).pixels(), factor));
}

Operand paste(const Call& call) {
  const double opacity = checked("opacity", call.number(4), 0, 1);
  constexpr std::int64_t kFarthest = 1'000'000;
  const std::int64_t left = call.integer(2);
  const std::int64_t top = call.integer(3);
  const auto is_far = [](std::int64_t offset) { return offset < -kFarthest || offset > kFarthest; };
  if (is_far(left) || is_far(top)) {
    throw FunctionFailure(
        "range", fmt::format("({}, {}) is farther away than {} pixels", left, top, kFarthest));
  }
  return call.give(pasted(call.picture(0).pixels(), call.picture(1).pixels(), left, top, opacity));
}

Operand convert_mode(const Call& call) {
  const std::string mode = lower(call.text(1));
  const int bands = mode == "grey" || mode == "gray" ? 1
                    : mode == "rgb"                  ? 3
                    : mode == "rgba"                 ? 4
                                                     : 0;
  if (bands == 0) {
    throw FunctionFailure("range",
                          fmt::format("mode is \"{}\": it is grey, rgb or rgba", call.text(1)));
  }
  return call.give(with_bands(call.picture(0).pixels(), bands));
}

Operand histogram(const Call& call) {
  nlohmann::json result = nlohmann::json::array();
  for (const Histogram& band : histograms(call.picture(0).pixels())) result.push_back(band);
  return give_json(result);
}

std::string hex(const Colour& colour) {
  return fmt::format("#{:02x}{:02x}{:02x}", colour[0], colour[1], colour[2]);
}

Operand dominant_colors(const Call& call) {
  const std::int64_t count = call.integer(1);
  checked("count", static_cast<double>(count), 1, 256);
  nlohmann::json result = nlohmann::json::array();
  for (const ColourShare& share :
       dominant_colours(call.picture(0).pixels(), static_cast<int>(count))) {
    result.push_back({{"color", hex(share.colour)}, {"share", share.share}});
  }
  return give_json(result);
}

Operand pixel(const Call& call) {
  const std::int64_t left = call.integer(1);
  const std::int64_t top = call.integer(2);
  const ImageSize size = call.picture(0).size();
  if (left < 0 || top < 0 || left >= size.width || top >= size.height) {
    throw FunctionFailure("range", fmt::format("there is no pixel ({}, {}) in an image of {} x {}",
                                               left, top, size.width, size.height));
  }
  const Image& image = call.picture(0).pixels();
  const std::uint8_t* at = image.row(static_cast<int>(top)) + left * image.bands();
  return give_json(std::vector<int>(at, at + image.bands()));
}

}  // namespace

void add_image_filters(Implementations& all) {
  all["flip(image,text)"] = flip;
  all["fit(image,bigint,bigint)"] = fit;
  all["pad(image,bigint,bigint,text)"] = pad;
  all["blur(image,float8)"] = blur;
  all["sharpen(image,float8,float8)"] = sharpen;
  all["brightness(image,float8)"] = by_factor<with_brightness>;
  all["contrast(image,float8)"] = by_factor<with_contrast>;
  all["saturation(image,float8)"] = by_factor<with_saturation>;
  all["paste(image,image,bigint,bigint,float8)"] = paste;
  all["convert_mode(image,text)"] = convert_mode;
  all["histogram(image)"] = histogram;
  all["entropy(image)"] = [](const Call& call) {
    return give_number(entropy_bits(call.picture(0).pixels()));
  };
  all["sharpness(image)"] = [](const Call& call) {
    return give_number(sharpness(call.picture(0).pixels()));
  };
  all["mean_color(image)"] = [](const Call& call) {
    return give_json(mean_colour(call.picture(0).pixels()));
  };
  all["dominant_colors(image,bigint)"] = dominant_colors;
  all["pixel(image,bigint,bigint)"] = pixel;
}

}  // namespace coppice::functions
