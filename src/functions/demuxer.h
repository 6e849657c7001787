// Demuxer: a video or audio file opened through FFmpeg.
//
// Model    Bytes come from one file descriptor of ours: a playlist or a reference inside the file
//          cannot open any other file, address or device. Image, text and playlist formats are
//          refused: they are not video or audio.
// Units    Seconds; FFmpeg's time bases inside.
// Errors   FunctionFailure "decode" when the file is damaged or of another kind. Error{kNotFound}
//          when it is not there.
// Threads  Used by one thread; a codec runs with one, unless more are asked for.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "base/files.h"
#include "functions/ffmpeg.h"
#include "functions/limits.h"

namespace coppice::functions {

class Demuxer {
 public:
  // `kind` is "video" or "audio", for messages.
  Demuxer(const std::filesystem::path& file, std::string kind, const Limits& limits);
  ~Demuxer();
  Demuxer(const Demuxer&) = delete;
  Demuxer& operator=(const Demuxer&) = delete;

  AVFormatContext* context() const { return context_; }
  // The stream of that type that a player would choose, cover art left out; null if there is none.
  AVStream* best_stream(AVMediaType type) const;
  CodecPtr open_decoder(const AVStream* stream, int threads = 1) const;
  // The next packet of `stream`; false at the end of the file.
  bool read(const AVStream* stream, AVPacket* packet);
  // The next packet of any stream.
  bool read_any(AVPacket* packet);
  // Goes to a key frame at or before `timestamp`, if the container can; where that is may be wrong.
  bool seek(const AVStream* stream, std::int64_t timestamp);
  // Back to the very first packet. Streams and the context are new afterwards: seeking to the
  // start loses packets in some containers, opening again does not.
  void rewind();

  std::string format() const;       // "matroska", "mov", …: FFmpeg's first name of the container
  std::string extension() const;    // the usual one: "mp4", "mkv", …
  double duration_seconds() const;  // 0 when unknown
  nlohmann::json container_facts() const;  // container, duration, size_bytes, bit_rate, tags

  const std::string& kind() const { return kind_; }

 private:
  void open();
  void close();
  static int read_bytes(void* self, std::uint8_t* buffer, int size);
  static std::int64_t seek_bytes(void* self, std::int64_t offset, int whence);

  std::string kind_;
  std::int64_t max_pixels_;
  FileDescriptor fd_;
  std::int64_t size_bytes_ = 0;
  AVIOContext* io_ = nullptr;
  AVFormatContext* context_ = nullptr;
  bool at_start_ = true;
};

// How far the file asks to turn the frames of a stream: quarter turns, clockwise, 0 to 3.
int quarter_turns_of(const AVStream* stream);

// Tags of a file or stream as {"title": "…"}: names in lower case, only valid UTF-8.
nlohmann::json tags_of(const AVDictionary* dictionary);

}  // namespace coppice::functions
