// The engine functions that make a new sound of one, or a picture of it.
#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>

#include "functions/audio_converter.h"
#include "functions/audio_cutter.h"
#include "functions/audio_encoder.h"
#include "functions/call.h"
#include "functions/failure.h"
#include "functions/image_filters.h"

namespace coppice::functions {
namespace {

struct SoundFile {
  std::unique_ptr<ScratchFolder> scratch;
  std::filesystem::path file;
};

SoundFile sound_file(const Call& call, const std::string& extension) {
  SoundFile result;
  result.scratch = std::make_unique<ScratchFolder>(call.store.folder() / "incoming", "sound");
  result.file = result.scratch->path() / ("sound." + extension);
  return result;
}

Operand give_sound(const Call& call, SoundFile sound) {
  return std::make_shared<Media>(ValueType::kAudio, std::move(sound.scratch), sound.file,
                                 call.limits);
}

Operand encode(const Call& call) {
  const std::string extension = audio_extension(call.text(1));
  SoundFile sound = sound_file(call, extension);
  encode_audio(call.audio(), extension, sound.file);
  return give_sound(call, std::move(sound));
}

Operand clip(const Call& call) {
  const double begin = call.number(1);
  const double end = call.number(2);
  if (!(begin >= 0) || !(end > begin) || end > 1e9) {
    throw FunctionFailure("range", fmt::format("cannot cut from {} to {} seconds: times count from "
                                               "0, and the end comes after the start",
                                               begin, end));
  }
  SoundFile sound = sound_file(call, "flac");
  std::optional<AudioEncoder> encoder;
  std::int64_t position = 0;
  Audio& audio = call.audio();
  audio.for_each_frame([&](const AVFrame* frame) {
    const double rate = frame->sample_rate;
    const std::int64_t from = std::max<std::int64_t>(std::llround(begin * rate) - position, 0);
    const std::int64_t to =
        std::min<std::int64_t>(std::llround(end * rate) - position, frame->nb_samples);
    if (from < to) {
      if (!encoder) encoder.emplace("flac", frame, has_deep_samples(audio.stream()), sound.file);
      encoder->add(slice_of(frame, from, to - from).get());
    }
    position += frame->nb_samples;
  });
  if (!encoder) return give_null();
  encoder->finish();
  return give_sound(call, std::move(sound));
}

Operand resample(const Call& call) {
  const std::int64_t rate = call.integer(1);
  const std::int64_t channels = call.integer(2);
  if (rate < 1000 || rate > 384'000 || channels < 0 || channels > 8) {
    throw FunctionFailure("range", fmt::format("{} hertz and {} channels: the rate is 1000 to "
                                               "384000, channels are 1 to 8, or 0 to keep them",
                                               rate, channels));
  }
  SoundFile sound = sound_file(call, "flac");
  std::optional<AudioConverter> converter;
  std::optional<AudioEncoder> encoder;
  const auto add = [&](const AVFrame* frame) {
    const FramePtr converted = converter->convert(frame);
    if (converted->nb_samples == 0) return;
    if (!encoder) encoder.emplace("flac", converted.get(), false, sound.file);
    encoder->add(converted.get());
  };
  call.audio().for_each_frame([&](const AVFrame* frame) {
    if (!converter) {
      AVChannelLayout layout{};
      const int count = channels == 0 ? frame->ch_layout.nb_channels : static_cast<int>(channels);
      av_channel_layout_default(&layout, count);
      converter.emplace(AV_SAMPLE_FMT_S16, static_cast<int>(rate),
                        channels == 0 ? frame->ch_layout : layout);
    }
    add(frame);
  });
  add(nullptr);
  if (!encoder) return give_null();
  encoder->finish();
  return give_sound(call, std::move(sound));
}

Operand silence_share(const Call& call) {
  const double shortest = call.number(1);
  const double decibels = call.number(2);
  if (!(shortest >= 0.01) || shortest > 1e6 || !(decibels <= 0) || decibels < -150) {
    throw FunctionFailure("range", fmt::format("silences of {} seconds under {} dB: they last 0.01 "
                                               "seconds or more, and the level is -150 to 0",
                                               shortest, decibels));
  }
  const SoundFacts facts = examine_sound(call.audio(), shortest, std::pow(10, decibels / 20));
  std::int64_t loud = 0;
  for (const SampleRange& range : facts.loud) loud += range.end - range.begin;
  return give_number(1 - static_cast<double>(loud) / static_cast<double>(facts.sample_count));
}

// Per column the lowest and highest sample of its stretch, all channels together.
Operand waveform(const Call& call) {
  const std::int64_t width = call.integer(1);
  const std::int64_t height = call.integer(2);
  const Colour colour = parse_colour(call.text(3));
  if (width < 1 || height < 2 || width > 16'384 || height > 4096) {
    throw FunctionFailure("range", fmt::format("a waveform of {} x {} pixels: the width is 1 to "
                                               "16384, the height 2 to 4096",
                                               width, height));
  }
  const std::int64_t count = examine_sound(call.audio(), 0, 0).sample_count;
  std::vector<std::pair<double, double>> columns(width, {1, -1});
  std::optional<AudioConverter> converter;
  std::int64_t position = 0;
  const auto add = [&](const AVFrame* frame) {
    const FramePtr samples = converter->convert(frame);
    const int channels = samples->ch_layout.nb_channels;
    const auto* data = reinterpret_cast<const double*>(samples->data[0]);
    for (int i = 0; i < samples->nb_samples; ++i, ++position) {
      auto& [low, high] =
          columns[std::min(width - 1, position * width / std::max<std::int64_t>(1, count))];
      for (int c = 0; c < channels; ++c, ++data) {
        low = std::min(low, *data);
        high = std::max(high, *data);
      }
    }
  };
  call.audio().for_each_frame([&](const AVFrame* frame) {
    if (!converter) converter.emplace(AV_SAMPLE_FMT_DBL, frame->sample_rate, frame->ch_layout);
    add(frame);
  });
  add(nullptr);
  Image image(static_cast<int>(width), static_cast<int>(height), 3);
  image.set_lossless(true);
  std::fill_n(image.data(), image.size_bytes(), std::uint8_t{255});
  const auto row_of = [&](double sample) {
    const double row = (1 - std::clamp(sample, -1.0, 1.0)) / 2 * static_cast<double>(height - 1);
    return static_cast<int>(std::lround(row));
  };
  for (std::int64_t x = 0; x < width; ++x) {
    const auto& [low, high] = columns[x];
    for (int y = row_of(high); low <= high && y <= row_of(low); ++y) {
      std::copy(colour.begin(), colour.end(), image.row(y) + 3 * x);
    }
  }
  return call.give(std::move(image));
}

}  // namespace

void add_audio_edits(Implementations& all) {
  all["encode(audio,text)"] = encode;
  all["clip(audio,float8,float8)"] = clip;
  all["resample(audio,bigint,bigint)"] = resample;
  all["silence_share(audio,float8,float8)"] = silence_share;
  all["waveform(audio,bigint,bigint,text)"] = waveform;
}

}  // namespace coppice::functions
