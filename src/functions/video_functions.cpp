// The engine functions of videos.
#include <nlohmann/json.hpp>

#include "functions/audio_encoder.h"
#include "functions/call.h"

namespace coppice::functions {
namespace {

Operand frame_at(const Call& call) {
  std::optional<Image> frame = call.video().frame_at(call.number(1));
  return frame ? call.give(std::move(*frame)) : give_null();
}

Operand extract_audio(const Call& call) {
  call.video();  // a sound file has no sound track to extract: it is not a video
  Audio& audio = call.audio();
  const std::string extension = audio_extension(call.text(1));
  if (!audio.has_stream()) return give_null();
  // Beside the objects: taking the result in is then a link, not a copy.
  auto scratch = std::make_unique<ScratchFolder>(call.store.folder() / "incoming", "sound");
  const std::filesystem::path file = scratch->path() / ("sound." + extension);
  encode_audio(audio, extension, file);
  return std::make_shared<Media>(ValueType::kAudio, std::move(scratch), file, call.limits);
}

// Decodes the first frame.
Operand probe(const Call& call) {
  Video& video = call.video();
  video.check_decodable();
  nlohmann::json facts = {{"kind", "video"},
                          {"format", video.demuxer().format()},
                          {"extension", video.demuxer().extension()},
                          {"mime_type", call.media(0).mime_type()},
                          {"width", video.size().width},
                          {"height", video.size().height},
                          {"size_bytes", call.media(0).size_bytes()}};
  if (const double seconds = video.demuxer().duration_seconds(); seconds > 0) {
    facts["duration"] = seconds;
  }
  return give_json(facts);
}

}  // namespace

void add_video_functions(Implementations& all) {
  all["duration(video)"] = [](const Call& call) { return give_number(call.video().duration()); };
  all["width(video)"] = [](const Call& call) { return give_integer(call.video().size().width); };
  all["height(video)"] = [](const Call& call) { return give_integer(call.video().size().height); };
  all["fps(video)"] = [](const Call& call) { return give_number(call.video().fps()); };
  all["frame_count(video)"] = [](const Call& call) {
    return give_integer(call.video().frame_count());
  };
  all["metadata(video)"] = [](const Call& call) { return give_json(call.video().metadata()); };
  all["frame_at(video,float8)"] = frame_at;
  all["extract_audio(video,text)"] = extract_audio;
  all["probe(video)"] = probe;
}

}  // namespace coppice::functions
