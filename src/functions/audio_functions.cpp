// The engine functions of audio.
#include <nlohmann/json.hpp>

#include "functions/call.h"

namespace coppice::functions {
namespace {

Operand loudness(const Call& call) {
  const std::optional<double> lufs = call.audio().loudness();
  return lufs ? give_number(*lufs) : give_null();
}

// Decodes the first samples.
Operand probe(const Call& call) {
  Audio& audio = call.audio();
  audio.check_decodable();
  nlohmann::json facts = {{"kind", "audio"},
                          {"format", audio.demuxer().format()},
                          {"extension", audio.demuxer().extension()},
                          {"mime_type", call.media(0).mime_type()},
                          {"sample_rate", audio.sample_rate()},
                          {"channels", audio.channels()},
                          {"size_bytes", call.media(0).size_bytes()}};
  if (const double seconds = audio.demuxer().duration_seconds(); seconds > 0) {
    facts["duration"] = seconds;
  }
  return give_json(facts);
}

}  // namespace

void add_audio_functions(Implementations& all) {
  all["duration(audio)"] = [](const Call& call) { return give_number(call.audio().duration()); };
  all["sample_rate(audio)"] = [](const Call& call) {
    return give_integer(call.audio().sample_rate());
  };
  all["channels(audio)"] = [](const Call& call) { return give_integer(call.audio().channels()); };
  all["metadata(audio)"] = [](const Call& call) { return give_json(call.audio().metadata()); };
  all["loudness(audio)"] = loudness;
  all["probe(audio)"] = probe;
}

}  // namespace coppice::functions
