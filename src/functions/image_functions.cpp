// The engine functions of images: arguments are checked here, the work is done by Picture, Image
// and the codecs.
#include <fmt/core.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "functions/call.h"
#include "functions/failure.h"
#include "functions/ocr.h"
#include "functions/perceptual_hash.h"
#include "functions/vips_codec.h"

namespace coppice::functions {
namespace {

constexpr std::int64_t kLongestSide = 65535;

Operand resize(const Call& call) {
  const std::int64_t width = call.integer(1);
  const std::int64_t height = call.integer(2);
  const bool valid = width >= 0 && height >= 0 && width <= kLongestSide && height <= kLongestSide &&
                     width + height > 0;
  if (!valid) {
    throw FunctionFailure("range", fmt::format("cannot resize to {} x {}: sides are 1 to {}, one "
                                               "of them may be 0 to keep the aspect ratio",
                                               width, height, kLongestSide));
  }
  return call.give(call.picture(0).resized(width, height));
}

Operand crop_image(const Call& call) {
  const std::int64_t left = call.integer(1);
  const std::int64_t top = call.integer(2);
  const std::int64_t width = call.integer(3);
  const std::int64_t height = call.integer(4);
  const ImageSize size = call.picture(0).size();
  // Compared by differences: sums of a user's numbers may overflow.
  const bool inside = left >= 0 && top >= 0 && width >= 1 && height >= 1 && left < size.width &&
                      top < size.height && width <= size.width - left &&
                      height <= size.height - top;
  if (!inside) {
    throw FunctionFailure("range", fmt::format("the rectangle {} x {} at ({}, {}) is not within "
                                               "the image of {} x {} pixels",
                                               width, height, left, top, size.width, size.height));
  }
  return call.give(crop(call.picture(0).pixels(), static_cast<int>(left), static_cast<int>(top),
                        static_cast<int>(width), static_cast<int>(height)));
}

Operand rotate(const Call& call) {
  const double degrees = call.number(1);
  if (!std::isfinite(degrees)) {
    throw FunctionFailure("range", "an image cannot be turned by an angle that is not finite");
  }
  const Image& image = call.picture(0).pixels();
  double turn = std::fmod(degrees, 360);
  if (turn < 0) turn += 360;
  if (turn == 90) return call.give(oriented(image, 6));
  if (turn == 180) return call.give(oriented(image, 3));
  if (turn == 270) return call.give(oriented(image, 8));
  if (turn == 0 || turn == 360) return call.give(image.copy());
  const auto diagonal = static_cast<std::int64_t>(std::hypot(image.width(), image.height())) + 1;
  call.limits.check_pixels(diagonal, diagonal);
  return call.give(rotate_freely(image, turn));
}

Operand encode(const Call& call) {
  EncodedImage encoded = encode_image(call.picture(0).pixels(), call.text(1), call.integer(2));
  return std::make_shared<Media>(Picture(std::move(encoded), call.limits));
}

Operand hash(const Call& call) { return give_text(perceptual_hash_text(call.picture(0).pixels())); }

Operand ocr(const Call& call) {
  return give_text(read_text_on(call.picture(0).pixels(), call.text(1)));
}

// Decodes the whole image.
Operand probe(const Call& call) {
  Picture& picture = call.picture(0);
  const ImageInfo& info = picture.info();
  picture.pixels();
  return give_json({{"kind", "image"},
                    {"format", info.format},
                    {"extension", extension_of_format(info.format)},
                    {"mime_type", call.media(0).mime_type()},
                    {"width", info.shown().width},
                    {"height", info.shown().height},
                    {"size_bytes", call.media(0).size_bytes()}});
}

}  // namespace

void add_image_functions(Implementations& all) {
  all["width(image)"] = [](const Call& call) { return give_integer(call.picture(0).size().width); };
  all["height(image)"] = [](const Call& call) {
    return give_integer(call.picture(0).size().height);
  };
  all["resize(image,bigint,bigint)"] = resize;
  all["crop(image,bigint,bigint,bigint,bigint)"] = crop_image;
  all["rotate(image,float8)"] = rotate;
  all["grayscale(image)"] = [](const Call& call) {
    return call.give(to_grayscale(call.picture(0).pixels()));
  };
  all["encode(image,text,bigint)"] = encode;
  all["metadata(image)"] = [](const Call& call) { return give_json(call.picture(0).metadata()); };
  all["perceptual_hash(image)"] = hash;
  all["ocr(image,text)"] = ocr;
  all["probe(image)"] = probe;
  all["store(image)"] = [](const Call& call) -> Operand { return call.arguments[0]; };
}

}  // namespace coppice::functions
