// FrameEncoder: frames of one video as JPEG objects of the store, made on threads of its own while
// the caller decodes the next ones.
//
// Model    Every frame becomes one object, of quality 85. Only a few frames are held at a time,
//          whatever the length of the video: add() waits for room.
// Errors   What goes wrong in a thread is thrown by the next add() or by finish().
// Threads  Used by one thread.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "functions/ffmpeg.h"
#include "functions/limits.h"
#include "media/store.h"

namespace coppice::functions {

class FrameEncoder {
 public:
  FrameEncoder(MediaStore& store, const Limits& limits, int quarter_turns);
  ~FrameEncoder();
  FrameEncoder(const FrameEncoder&) = delete;
  FrameEncoder& operator=(const FrameEncoder&) = delete;

  // Keeps a reference to the frame. Gives its number, from 0 on.
  std::size_t add(const AVFrame* frame);
  // The names of the objects by number, when all are there. Nothing may be added after it.
  std::vector<std::string> finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace coppice::functions
