// AudioConverter: decoded samples in one format, rate and channel layout.
//
// Model    The input may change its format from frame to frame; the output never does.
// Errors   FunctionFailure "decode" when a conversion is not possible.
// Threads  Used by one thread.
#pragma once

#include "functions/ffmpeg.h"

namespace coppice::functions {

class AudioConverter {
 public:
  AudioConverter(AVSampleFormat format, int sample_rate, const AVChannelLayout& layout);
  ~AudioConverter();
  AudioConverter(const AudioConverter&) = delete;
  AudioConverter& operator=(const AudioConverter&) = delete;

  // A frame of its own; it may be empty while the resampler fills. null flushes what is held back.
  FramePtr convert(const AVFrame* frame);

 private:
  void configure(const AVFrame* frame);

  AVSampleFormat format_;
  int sample_rate_;
  AVChannelLayout layout_{};
  ResamplerPtr resampler_;
  int input_format_ = -1;
  int input_rate_ = 0;
  AVChannelLayout input_layout_{};
};

}  // namespace coppice::functions
