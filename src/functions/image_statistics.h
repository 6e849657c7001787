// What a picture's pixels are like, in figures.
//
// Units    Values are 0 to 255; alpha does not count. Shares are 0 to 1.
// Threads  Free functions without state.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "functions/image_filters.h"

namespace coppice::functions {

using Histogram = std::array<std::int64_t, 256>;

// One a colour band: grey, or red, green, blue.
std::vector<Histogram> histograms(const Image& image);

// Of the grey values, in bits: 0 for one value, 8 for all alike often.
double entropy_bits(const Image& image);

// The variance of the Laplacian (the sum of four neighbours less four times the pixel) of the grey
// picture: under about 100 most photographs are out of focus.
double sharpness(const Image& image);

std::vector<double> mean_colour(const Image& image);

struct ColourShare {
  Colour colour;
  double share = 0;
};
// The means of the boxes that a median cut of all colours makes, most frequent first; fewer when
// the picture has fewer. Colours count to 1/32 of a band.
std::vector<ColourShare> dominant_colours(const Image& image, int count);

}  // namespace coppice::functions
