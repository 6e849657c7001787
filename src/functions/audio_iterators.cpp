// audio_segments: the iterator of sounds.
#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "functions/audio_cutter.h"
#include "functions/call.h"
#include "functions/failure.h"
#include "functions/rows.h"

namespace coppice::functions {
namespace {

constexpr double kShortest = 0.01;             // seconds
constexpr double kSilencePeak = 0.0031622777;  // -50 dB of full scale

void check_seconds(const char* name, double seconds) {
  if (!(seconds >= kShortest) || seconds > 1e6) {
    throw FunctionFailure(
        "range", fmt::format("{} is {}: it must be between {} and 1000000 seconds", name, seconds,
                             kShortest));
  }
}

std::vector<SampleRange> ranges_of_duration(const SoundFacts& facts, double duration,
                                            double overlap) {
  const auto sample_of = [&](double seconds) {
    return static_cast<std::int64_t>(std::llround(seconds * facts.sample_rate));
  };
  std::vector<SampleRange> ranges;
  for (std::int64_t i = 0; ranges.empty() || ranges.back().end < facts.sample_count; ++i) {
    // From the number of the segment, not from the last one: rounding must not add up.
    const double begin = static_cast<double>(i) * (duration - overlap);
    ranges.push_back({sample_of(begin), std::min(sample_of(begin + duration), facts.sample_count)});
  }
  return ranges;
}

std::vector<SampleRange> ranges_between_silences(const SoundFacts& facts, double overlap) {
  const auto margin = static_cast<std::int64_t>(std::llround(overlap * facts.sample_rate));
  std::vector<SampleRange> ranges = facts.loud;
  for (SampleRange& range : ranges) {
    range.begin = std::max<std::int64_t>(0, range.begin - margin);
    range.end = std::min(facts.sample_count, range.end + margin);
  }
  return ranges;
}

Operand audio_segments(const Call& call) {
  const double duration = call.number(1);
  const double silence = call.number(2);
  const double overlap = call.number(3);
  check_exactly_one({{"duration", duration != 0}, {"silence", silence != 0}});
  check_seconds(duration != 0 ? "duration" : "silence", duration != 0 ? duration : silence);
  const double most = duration != 0 ? duration - kShortest : silence / 2;
  if (!(overlap >= 0) || overlap > most) {
    throw FunctionFailure(
        "range", fmt::format("overlap is {}: it must be between 0 and {} seconds", overlap, most));
  }
  Audio& audio = call.audio();
  if (duration != 0 && audio.demuxer().duration_seconds() > 0) {
    check_row_count(audio.duration() / (duration - overlap) / 2, call.limits);
  }
  const SoundFacts facts = examine_sound(audio, silence, kSilencePeak);
  const std::vector<SampleRange> ranges = duration != 0
                                              ? ranges_of_duration(facts, duration, overlap)
                                              : ranges_between_silences(facts, overlap);
  check_row_count(static_cast<double>(ranges.size()), call.limits);
  const std::vector<std::string> names = store_stretches(audio, ranges, call.store);
  IteratorRows rows(call.limits);
  for (std::size_t i = 0; i < ranges.size(); ++i) {
    rows.add({{"start_seconds", static_cast<double>(ranges[i].begin) / facts.sample_rate},
              {"end_seconds", static_cast<double>(ranges[i].end) / facts.sample_rate},
              {"segment", names[i]}});
  }
  return rows.give();
}

}  // namespace

void add_audio_iterators(Implementations& all) {
  all["audio_segments(audio,float8,float8,float8)"] = audio_segments;
}

}  // namespace coppice::functions
