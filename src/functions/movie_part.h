// A part of a video, coded again: cut to the frame and to the sample.
//
// Units    Seconds from the first frame on; a frame belongs to a part when it begins within it.
// Errors   FunctionFailure "decode", "limit", "unsupported".
// Threads  Used by one thread; codecs may run some of their own.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>

#include "functions/frame_reader.h"
#include "functions/movie_writer.h"
#include "functions/sound_reader.h"

namespace coppice::functions {

// Gives the frame to write in the place of one, or the same; the result may share its memory.
using FrameChange = std::function<FramePtr(const AVFrame*)>;

struct PartOptions {
  double begin = 0;
  double end = 1e9;
  bool with_sound = true;
  std::optional<ImageSize> size;  // of the result as stored; else that of the source
  bool grey = false;              // luminance only
  FrameChange change;             // empty: frames as they are
};

class PartWriter {
 public:
  PartWriter(const std::filesystem::path& file, const Limits& limits);

  FrameReader& frames() { return frames_; }
  // False, and no file, when no frame begins within the part.
  bool write(const PartOptions& options, const std::filesystem::path& target);
  // Where the last part ended: when its last frame was over, or options.end if that came first.
  double end_seconds() const { return end_seconds_; }

 private:
  double clock_offset() const;
  void add_sound_until(MovieWriter& writer, const PartOptions& options, double seconds);

  FrameReader frames_;
  SoundReader sound_;
  FramePtr samples_ = make_frame();
  bool has_samples_ = false;
  double end_seconds_ = 0;
};

}  // namespace coppice::functions
