// Audio: a sound file, or the sound track of a video.
//
// Model    The stream a player would choose. Samples are decoded from the start to the end.
// Units    Seconds, hertz; samples -1 to 1.
// Errors   FunctionFailure "decode", "unsupported".
// Threads  Used by one thread.
#pragma once

#include <filesystem>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>

#include "functions/demuxer.h"

namespace coppice::functions {

class Audio {
 public:
  // `kind` is "audio", or "video" for the sound track of a video.
  Audio(const std::filesystem::path& file, const std::string& kind, const Limits& limits);

  bool has_stream() const { return stream_ != nullptr; }
  double duration() const;
  int sample_rate() const;
  int channels() const;
  nlohmann::json metadata() const;
  // Integrated loudness in LUFS; nullopt for silence and for less than 0.4 seconds.
  std::optional<double> loudness();
  // Throws when not even the first samples can be decoded.
  void check_decodable();

  // Calls `take` with each decoded frame, in order.
  void for_each_frame(const std::function<void(const AVFrame*)>& take);
  const AVStream* stream() const { return stream_; }
  const Demuxer& demuxer() const { return demuxer_; }

 private:
  // As for_each_frame, until `take` gives false.
  void decode(const std::function<bool(const AVFrame*)>& take);

  Demuxer demuxer_;
  AVStream* stream_;
};

}  // namespace coppice::functions
