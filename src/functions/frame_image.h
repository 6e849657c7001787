// FrameConverter: decoded video frames as pictures.
//
// Model    A frame of the usual kind (8 bits, chroma halved both ways, even sides, not turned) goes
//          from its planes to a JPEG without a detour over RGB: range and matrix are converted to
//          those of JFIF in place. Every other one is converted to RGB first. Quarter turns are
//          clockwise.
// Units    Images are [height, width, 3] uint8 in sRGB; quality is 1 to 100.
// Errors   FunctionFailure "limit" (too many pixels), "unsupported" (a pixel format).
// Threads  Used by one thread: it keeps its scaler and buffers from frame to frame.
// Source   ITU-R BT.601, BT.709, BT.2020 (luma coefficients), JFIF 1.02 (full range, BT.601).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "functions/ffmpeg.h"
#include "functions/image.h"
#include "functions/limits.h"

namespace coppice::functions {

class FrameConverter {
 public:
  explicit FrameConverter(const Limits& limits) : limits_(limits) {}

  Image to_image(const AVFrame* frame, int quarter_turns);
  std::string to_jpeg(const AVFrame* frame, int quarter_turns, int quality);

 private:
  const Limits& limits_;
  ScalerPtr scaler_;
  std::vector<std::uint8_t> planes_;
};

}  // namespace coppice::functions
