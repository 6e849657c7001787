// FrameEncoder: frames of one video as JPEG objects of the store, made on threads of its own while
// the caller decodes the next ones.
//
// Model    Every frame becomes one object, of quality 85. Only a few frames are held at a time,
//          whatever the length of the video: add() waits for room. With a video's name given frames
//          are not stored: each gets a name that says where in that video it is.
// Errors   What goes wrong in a thread is thrown by the next add() or by finish().
// Threads  Used by one thread.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "functions/ffmpeg.h"
#include "functions/limits.h"
#include "media/frame_name.h"

namespace coppice::functions {

inline constexpr int kFrameQuality = 85;

class FrameEncoder {
 public:
  // `video`: frames stay in it; nullopt: they are stored.
  FrameEncoder(MediaStore& store, const Limits& limits, int quarter_turns,
               std::optional<MediaName> video = std::nullopt);
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
