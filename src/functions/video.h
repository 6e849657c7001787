// Video: a video file, its facts and its frames.
//
// Model    The stream a player would choose; cover art is no video. Frames are shown from their
//          time until the next one's; time 0 is the first frame. Rotation by quarter turns that
//          the file asks for is applied; pixels are taken as square.
// Units    Seconds; frames are [height, width, 3] uint8 in sRGB.
// Errors   FunctionFailure "decode", "range" (a time that is negative or not a number), "limit".
// Threads  Used by one thread.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>

#include "functions/demuxer.h"
#include "functions/image.h"

namespace coppice::functions {

class Video {
 public:
  Video(const std::filesystem::path& file, const Limits& limits);

  ImageSize size() const;  // as shown
  double duration() const;
  double fps() const;
  // Packets of the stream that are shown: exact, at the cost of reading the file.
  std::int64_t frame_count();
  nlohmann::json metadata() const;
  // nullopt when the video has ended by then.
  std::optional<Image> frame_at(double seconds);
  // Throws when not even the first frame can be decoded.
  void check_decodable();

  const Demuxer& demuxer() const { return demuxer_; }

 private:
  void rewind();
  bool next_frame(AVFrame* frame);
  FramePtr find_frame(std::int64_t target);
  std::int64_t first_timestamp() const;
  std::int64_t frame_duration(const AVFrame* frame) const;

  const Limits& limits_;
  Demuxer demuxer_;
  AVStream* stream_;
  CodecPtr decoder_;
  PacketPtr packet_;
  bool drained_ = false;  // the decoder was told that no packet follows
  bool at_end_ = false;   // the last frame was given
};

}  // namespace coppice::functions
