// perceptual_hash: 64 bits that stay nearly the same when an image is scaled or recompressed.
//
// Model    1. Grey by BT.601 luma; alpha is laid on white. 2. Scaled to 32 x 32 by resample(),
//          aspect ratio ignored. 3. Two-dimensional DCT-II. 4. The 8 x 8 coefficients of lowest
//          frequency, row by row from the constant one; a bit is 1 where the coefficient is above
//          the median of the 64. 5. First bit first: 16 hexadecimal digits.
//          Compare by the number of differing bits: up to about 8 for the same picture.
// Source   The "pHash" of C. Zauner, Implementation and Benchmarking of Perceptual Image Hash
//          Functions, 2010, as image libraries commonly compute it.
#pragma once

#include <cstdint>
#include <string>

#include "functions/image.h"

namespace coppice::functions {

std::uint64_t perceptual_hash_bits(const Image& image);
std::string perceptual_hash_text(const Image& image);

}  // namespace coppice::functions
