// Resampling of opaque images: box averaging by whole factors, then Lanczos-3.
//
// Model    Far reductions are first averaged by a whole factor that leaves at least twice the
//          target, as libvips does; Lanczos-3 does the rest, so the cost follows the input's size
//          and not the factor. Deterministic: floating point in a fixed order on every machine.
// Source   C. E. Duchon, Lanczos Filtering in One and Two Dimensions, 1979.
#pragma once

#include "functions/image.h"

namespace coppice::functions {

// The part of an image that counts, from its upper left corner: a codec that halves 259 columns
// gives 130, of which the picture covers 129.5.
struct Extent {
  double width = 0;
  double height = 0;
};

// `image` has 1 or 3 bands; either side may grow or shrink.
Image resample(const Image& image, ImageSize target);
Image resample(const Image& image, Extent extent, ImageSize target);

}  // namespace coppice::functions
