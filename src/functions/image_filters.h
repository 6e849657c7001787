// Filters: pictures changed pixel by pixel or by their surroundings.
//
// Model    Colours are changed as they are stored (sRGB, not linear light); alpha stays as it is
//          unless a filter says otherwise. Whether a result is stored without loss follows its
//          source.
// Units    Factors: 1 changes nothing. Sigma: pixels.
// Threads  Free functions without state.
// Source   Luma of ITU-R BT.601; alpha after Porter and Duff (source over).
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "functions/image.h"

namespace coppice::functions {

// red, green, blue, 0 to 255.
using Colour = std::array<std::uint8_t, 3>;

// "#rrggbb", or black, white, grey, red, green, blue, yellow, cyan, magenta. FunctionFailure
// "range" for anything else.
Colour parse_colour(const std::string& text);

// value x factor, and the distance from the middle grey 128 x factor.
Image with_brightness(const Image& image, double factor);
Image with_contrast(const Image& image, double factor);
// The distance of a colour from its grey x factor: 0 is grey, in three bands as before.
Image with_saturation(const Image& image, double factor);

// Gaussian; beyond its edges the picture goes on with its last pixels. Colours count by their
// alpha, which is blurred too. `sigma` is 0.1 to 200.
Image blurred(const Image& image, double sigma);
// Unsharp mask: image + amount x (image - blurred). Alpha stays.
Image sharpened(const Image& image, double amount, double sigma);

// The image in the middle of a larger canvas of one colour.
Image padded(const Image& image, ImageSize canvas, Colour colour);
// `top` laid on `base` with its upper left corner there, its alpha x opacity; what lies outside is
// cut. The result has the base's alpha, if any.
Image pasted(const Image& base, const Image& top, std::int64_t left, std::int64_t upper,
             double opacity);

// Frames drawn along the inner side of boxes [left, top, right, bottom] in pixels; what lies
// outside is cut.
Image with_boxes(const Image& image, const std::vector<std::array<double, 4>>& boxes, Colour colour,
                 int thickness);

// As grey (1 band), rgb (3) or rgba (4): alpha that goes is laid on white, alpha that comes is
// full.
Image with_bands(const Image& image, int bands);

}  // namespace coppice::functions
