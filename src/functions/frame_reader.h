// FrameReader: the frames of a video one after another, for what looks at many of them.
//
// Model    The stream a player would choose, decoded in the order shown. Every frame has a
//          best_effort_timestamp, made from the one before it where the file has none; they grow.
//          Damaged packets are passed over, as players do.
// Units    Timestamps are ticks of time_base(); seconds count from the first frame of the stream.
// Errors   FunctionFailure "decode", "limit", "unsupported".
// Threads  Used by one thread; the decoder may run some of its own. What it gives does not depend
//          on their number.
#pragma once

#include <filesystem>

#include "functions/demuxer.h"
#include "functions/image.h"
#include "functions/limits.h"

namespace coppice::functions {

class FrameReader {
 public:
  // kAllInOrder: without threads, for what is coded again.
  enum class Wanted { kAll, kAllInOrder, kKeyFrames };
  FrameReader(const std::filesystem::path& file, const Limits& limits,
              Wanted wanted = Wanted::kAll);

  // False at the end.
  bool next(AVFrame* frame);
  // The next frame is a key frame at or before `timestamp`, or the first one. Where a container
  // cannot seek the next frame is the first.
  void seek(std::int64_t timestamp);

  // Gives the first frame from `timestamp` on; false when there is none. next() goes on behind it.
  bool find(std::int64_t timestamp, AVFrame* frame);

  AVRational time_base() const { return stream_->time_base; }
  std::int64_t first_timestamp() const;
  double seconds_at(std::int64_t timestamp) const;
  std::int64_t timestamp_at(double seconds) const;  // of the last tick not after it
  // How long a frame is shown, in ticks; at least 1.
  std::int64_t frame_ticks(const AVFrame* frame) const;
  int quarter_turns() const { return quarter_turns_of(stream_); }
  double fps() const;
  double duration_seconds() const;  // as the file says; 0 when it does not
  const AVStream* stream() const { return stream_; }
  const Demuxer& demuxer() const { return demuxer_; }

 private:
  void open_decoder();
  void set_timestamp(AVFrame* frame);

  const Limits& limits_;
  Wanted wanted_;
  Demuxer demuxer_;
  AVStream* stream_ = nullptr;
  CodecPtr decoder_;
  PacketPtr packet_;
  bool drained_ = false;       // the decoder was told that no packet follows
  bool fresh_ = true;          // nothing was read since the file or a place in it was opened
  std::int64_t last_ = 0;      // the timestamp of the frame before
  std::int64_t expected_ = 0;  // that of the next one, should it have none
};

}  // namespace coppice::functions
