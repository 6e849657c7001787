// FrameSource: frames of videos by their names, for rows whose frames are not stored.
//
// Model    Rows come in the order of their frames, mostly: the video of the last frame stays open,
//          and the next frame is decoded on from there where it is near, so that a run of frames is
//          one pass. What a frame gives does not depend on those before: it is the frame with that
//          very timestamp, looked for from the start of the video where a jump does not land on it.
// Units    Timestamps as in media/frame_name.h. Quality is that of stored frames.
// Errors   FunctionFailure "missing" when there is no such video or frame; those of FrameReader.
// Threads  Used by one thread.
#pragma once

#include <memory>
#include <optional>

#include "functions/frame_image.h"
#include "functions/frame_reader.h"
#include "functions/picture.h"
#include "media/frame_name.h"

namespace coppice::functions {

class FrameSource {
 public:
  FrameSource(const MediaStore& store, const Limits& limits);

  // The frame as frames() would have stored it.
  EncodedImage read(const FrameName& name);

 private:
  void open(const MediaName& video);
  bool show(std::int64_t timestamp);
  bool decode_until(std::int64_t timestamp);

  const MediaStore& store_;
  const Limits& limits_;
  FrameConverter converter_;
  std::optional<MediaName> video_;
  std::unique_ptr<FrameReader> reader_;
  FramePtr frame_ = make_frame();
  bool has_frame_ = false;
};

}  // namespace coppice::functions
