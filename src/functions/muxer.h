// Muxer: a video or sound file that is being written.
//
// Model    Packets of its streams come in the order of their decoding; the file is the same for the
//          same packets: no dates, no random ids.
// Errors   Error{kDiskFull} or kIo when the file cannot be written; FunctionFailure "unsupported"
//          when a container does not take a stream.
// Threads  Used by one thread.
#pragma once

#include <filesystem>
#include <string>

#include "functions/ffmpeg.h"

namespace coppice::functions {

class Muxer {
 public:
  // `container` is FFmpeg's name: "mp4", "matroska", …
  Muxer(const std::string& container, std::filesystem::path target);

  // A stream with the parameters of `like`, its turning included.
  AVStream* copy_stream(const AVStream* like);
  AVStream* add_stream(const AVCodecContext* encoder);
  bool wants_global_header() const;

  // Once all streams are there.
  void begin();
  // Takes the packet over; its times are in `time_base`.
  void write(AVPacket* packet, const AVStream* stream, AVRational time_base);
  void finish();

 private:
  struct Close {
    void operator()(AVFormatContext* context) const;
  };
  void check(int code) const;

  std::filesystem::path target_;
  std::unique_ptr<AVFormatContext, Close> context_;
};

}  // namespace coppice::functions
