#include "functions/audio_cutter.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <new>
#include <optional>

#include "functions/audio_converter.h"
#include "functions/audio_encoder.h"
#include "functions/failure.h"

namespace coppice::functions {
namespace {

constexpr std::size_t kMostOpen = 64;

// Every frame in the format, rate and layout of the first one.
class Steady {
 public:
  FramePtr convert(const AVFrame* frame) {
    if (frame != nullptr && !converter_) {
      converter_.emplace(static_cast<AVSampleFormat>(frame->format), frame->sample_rate,
                         frame->ch_layout);
    }
    return converter_->convert(frame);
  }

 private:
  std::optional<AudioConverter> converter_;
};

void for_each_steady_frame(Audio& audio, const std::function<void(const AVFrame*)>& take) {
  Steady steady;
  audio.for_each_frame([&](const AVFrame* frame) {
    const FramePtr same = steady.convert(frame);
    if (same->nb_samples > 0) take(same.get());
  });
  const FramePtr rest = steady.convert(nullptr);
  if (rest->nb_samples > 0) take(rest.get());
}

// Finds the silences in doubles, interleaved.
class SilenceFinder {
 public:
  SilenceFinder(std::int64_t shortest, double peak) : shortest_(shortest), peak_(peak) {}

  void add(const double* samples, int count, int channels) {
    for (int i = 0; i < count; ++i, ++position_) {
      bool quiet = true;
      for (int c = 0; c < channels; ++c) {
        quiet = quiet && std::abs(samples[static_cast<std::size_t>(i) * channels + c]) <= peak_;
      }
      if (!quiet) add_loud();
    }
  }

  std::vector<SampleRange> take() { return std::move(loud_); }

 private:
  void add_loud() {
    const bool after_silence = loud_.empty() || position_ - loud_.back().end >= shortest_;
    if (after_silence) {
      // A short quiet time before the first loud sample belongs to it.
      const bool short_start = loud_.empty() && position_ < shortest_;
      loud_.push_back({short_start ? 0 : position_, position_});
    }
    loud_.back().end = position_ + 1;
  }

  std::int64_t shortest_;
  double peak_;
  std::int64_t position_ = 0;
  std::vector<SampleRange> loud_;
};

}  // namespace

SoundFacts examine_sound(Audio& audio, double silence_seconds, double peak) {
  SoundFacts facts;
  std::optional<SilenceFinder> finder;
  std::optional<AudioConverter> to_double;
  for_each_steady_frame(audio, [&](const AVFrame* frame) {
    facts.sample_rate = frame->sample_rate;
    facts.sample_count += frame->nb_samples;
    if (silence_seconds <= 0) return;
    if (!finder) {
      const double shortest = silence_seconds * frame->sample_rate;
      finder.emplace(static_cast<std::int64_t>(std::ceil(shortest)), peak);
      to_double.emplace(AV_SAMPLE_FMT_DBL, frame->sample_rate, frame->ch_layout);
    }
    const FramePtr samples = to_double->convert(frame);
    finder->add(reinterpret_cast<const double*>(samples->data[0]), samples->nb_samples,
                samples->ch_layout.nb_channels);
  });
  if (finder) {
    facts.loud = finder->take();
    // The same at the end.
    const auto shortest = static_cast<std::int64_t>(std::ceil(silence_seconds * facts.sample_rate));
    if (!facts.loud.empty() && facts.sample_count - facts.loud.back().end < shortest) {
      facts.loud.back().end = facts.sample_count;
    }
  }
  return facts;
}

std::vector<std::string> store_stretches(Audio& audio, const std::vector<SampleRange>& ranges,
                                         MediaStore& store) {
  const ScratchFolder scratch(store.folder() / "incoming", "segments");
  const auto file_of = [&](std::size_t i) {
    return scratch.path() / (std::to_string(i) + ".flac");
  };
  std::vector<std::string> names(ranges.size());
  std::map<std::size_t, AudioEncoder> open;
  std::size_t next = 0;
  std::int64_t position = 0;
  const auto close = [&](std::size_t index, AudioEncoder& encoder) {
    encoder.finish();
    names[index] = store.put_file(file_of(index), "flac", true).text();
    std::filesystem::remove(file_of(index));
  };
  for_each_steady_frame(audio, [&](const AVFrame* frame) {
    const std::int64_t end = position + frame->nb_samples;
    for (; next < ranges.size() && ranges[next].begin < end; ++next) {
      open.try_emplace(next, "flac", frame, has_deep_samples(audio.stream()), file_of(next));
      if (open.size() > kMostOpen) {
        throw FunctionFailure("range", "over 64 segments would hold the same moment: overlap less");
      }
    }
    for (auto it = open.begin(); it != open.end();) {
      const SampleRange& range = ranges[it->first];
      const std::int64_t from = std::max(range.begin, position);
      const std::int64_t to = std::min(range.end, end);
      if (from < to) it->second.add(slice_of(frame, from - position, to - from).get());
      if (range.end <= end) {
        close(it->first, it->second);
        it = open.erase(it);
      } else {
        ++it;
      }
    }
    position = end;
  });
  for (auto& [index, encoder] : open) close(index, encoder);
  return names;
}

FramePtr slice_of(const AVFrame* frame, std::int64_t begin, std::int64_t count) {
  FramePtr slice(av_frame_clone(frame));
  if (!slice) throw std::bad_alloc();
  const auto format = static_cast<AVSampleFormat>(frame->format);
  const bool planar = av_sample_fmt_is_planar(format) != 0;
  const int channels = frame->ch_layout.nb_channels;
  const std::ptrdiff_t skip = begin * av_get_bytes_per_sample(format) * (planar ? 1 : channels);
  for (int plane = 0; plane < (planar ? channels : 1); ++plane) {
    slice->extended_data[plane] += skip;
    if (slice->extended_data != slice->data && plane < AV_NUM_DATA_POINTERS) {
      slice->data[plane] += skip;
    }
  }
  slice->nb_samples = static_cast<int>(count);
  return slice;
}

}  // namespace coppice::functions
