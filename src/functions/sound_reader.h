// SoundReader: the sound track of a file from any time on.
//
// Units    Seconds are those of the file's own clock, as in the streams' timestamps.
// Errors   FunctionFailure "decode", "unsupported".
// Threads  Used by one thread.
#pragma once

#include <filesystem>
#include <optional>

#include "functions/demuxer.h"

namespace coppice::functions {

class SoundReader {
 public:
  SoundReader(const std::filesystem::path& file, const Limits& limits);

  bool has_stream() const { return stream_ != nullptr; }
  const AVStream* stream() const { return stream_; }
  // The next frame ends after `seconds`; some of it may lie before.
  void seek(double seconds);
  // False at the end.
  bool next(AVFrame* frame);
  // When the last frame begins.
  double seconds() const { return seconds_; }

 private:
  void open();
  bool decode(AVFrame* frame);

  Demuxer demuxer_;
  AVStream* stream_ = nullptr;
  CodecPtr decoder_;
  PacketPtr packet_;
  bool drained_ = false;
  double seconds_ = 0;
  double expected_ = 0;
  double wanted_ = 0;
};

}  // namespace coppice::functions
