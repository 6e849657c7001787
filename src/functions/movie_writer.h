// MovieWriter: an MP4 made of frames and samples, H.264 and AAC.
//
// Model    Frames are 8-bit 4:2:0 with even sides (an odd last row or column is cut), at constant
//          quality; samples follow one another without gaps from the first one's time on. The same
//          input gives the same bytes: the encoders run with one thread each.
// Units    Times of frames are ticks of the frames' time base, of samples seconds, both from the
//          start of the movie.
// Errors   FunctionFailure "decode" when there is no frame at all, "unsupported"; Error{kDiskFull}.
// Threads  Used by one thread.
#pragma once

#include <filesystem>
#include <memory>

#include "functions/ffmpeg.h"
#include "functions/image.h"

namespace coppice::functions {

struct MovieFormat {
  ImageSize size;
  AVRational time_base{1, 1000};
  AVRational frame_rate{0, 1};    // 0: unknown
  AVRational pixel_aspect{0, 1};  // 0: unknown, square
  AVColorSpace color_space = AVCOL_SPC_UNSPECIFIED;
  AVColorRange color_range = AVCOL_RANGE_UNSPECIFIED;
  bool grey = false;                         // no colour
  const AVStream* turned_like = nullptr;     // its turning is kept; for copy, may be null
  const AVCodecParameters* sound = nullptr;  // null: no sound
};

class MovieWriter {
 public:
  MovieWriter(const MovieFormat& format, const std::filesystem::path& target);
  ~MovieWriter();
  MovieWriter(const MovieWriter&) = delete;
  MovieWriter& operator=(const MovieWriter&) = delete;

  // Frames of any size and pixel format, scaled to that of the movie; times grow.
  void add_frame(const AVFrame* frame, std::int64_t ticks);
  // The time of the first call counts; the rest follows.
  void add_samples(const AVFrame* samples, double at_seconds);
  void finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace coppice::functions
