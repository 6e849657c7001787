// SceneScore: how much a picture of a video differs from the one before it, beyond what motion
// brings.
//
// Model    The mean difference of luma between two frames, less the same of the pair before: a
//          steady motion scores little, a cut much. The same number as `scene` of ffmpeg's filter
//          select, for frames with a luma plane of 8 bits; others are made grey first.
// Units    0 to 1, where 1 is a mean difference of 100 of 255 steps; a cut mostly scores over 0.3.
// Threads  Used by one thread.
#pragma once

#include "functions/ffmpeg.h"

namespace coppice::functions {

class SceneScore {
 public:
  // Of this frame against the last one; 0 for the first, and where the size changes.
  double add(const AVFrame* frame);

 private:
  FramePtr to_grey(const AVFrame* frame);

  FramePtr previous_;
  double previous_difference_ = 0;
  ScalerPtr scaler_;
};

}  // namespace coppice::functions
