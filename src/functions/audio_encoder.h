// extract_audio: the sound track of a file, encoded into a file of its own.
//
// Model    "flac" (16 bits, or 24 when the source has more), "wav" (16 or 32 bits, the same way),
//          "mp3" (192 kbit/s) or "opus" (in Ogg, 128 kbit/s, 48 kHz). More channels than a format
//          holds are mixed down to stereo. The same input gives the same bytes.
// Errors   FunctionFailure "unsupported" for other formats, "decode" for a damaged source.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "functions/audio.h"

namespace coppice::functions {

// The extension of a format's files: "flac", "wav", "mp3", "opus".
std::string audio_extension(const std::string& format);

void encode_audio(Audio& source, const std::string& format, const std::filesystem::path& target);

// True when 16 bits would lose something that the stream has.
bool has_deep_samples(const AVStream* stream);

// One file, written frame by frame.
class AudioEncoder {
 public:
  // `like` gives rate and channels; `deep` asks for more than 16 bits of a lossless format.
  AudioEncoder(const std::string& format, const AVFrame* like, bool deep,
               const std::filesystem::path& target);
  ~AudioEncoder();
  AudioEncoder(const AudioEncoder&) = delete;
  AudioEncoder& operator=(const AudioEncoder&) = delete;

  void add(const AVFrame* frame);
  // The file is complete once it returns. Called once.
  void finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace coppice::functions
