#include "functions/audio.h"

#include <fmt/core.h>

#include <nlohmann/json.hpp>
#include <vector>

#include "functions/audio_converter.h"
#include "functions/failure.h"
#include "functions/loudness.h"

namespace coppice::functions {
namespace {

double channel_weight(AVChannel channel) {
  switch (channel) {
    case AV_CHAN_LOW_FREQUENCY:
    case AV_CHAN_LOW_FREQUENCY_2:
      return 0;
    case AV_CHAN_SIDE_LEFT:
    case AV_CHAN_SIDE_RIGHT:
    case AV_CHAN_BACK_LEFT:
    case AV_CHAN_BACK_RIGHT:
      return 1.41;
    default:
      return 1;
  }
}

}  // namespace

Audio::Audio(const std::filesystem::path& file, const std::string& kind, const Limits& limits)
    : demuxer_(file, kind, limits), stream_(demuxer_.best_stream(AVMEDIA_TYPE_AUDIO)) {
  if (stream_ == nullptr && kind == "audio") {
    throw FunctionFailure("decode", fmt::format("the {} file has no audio stream: it is not audio",
                                                demuxer_.format()));
  }
  if (stream_ != nullptr &&
      (stream_->codecpar->sample_rate < 10 || stream_->codecpar->ch_layout.nb_channels < 1)) {
    throw FunctionFailure("decode", "the audio stream has no sample rate: it is damaged");
  }
}

double Audio::duration() const {
  if (const double seconds = demuxer_.duration_seconds(); seconds > 0) return seconds;
  if (stream_->duration == AV_NOPTS_VALUE) {
    throw FunctionFailure("decode", "the audio does not say how long it is");
  }
  return static_cast<double>(stream_->duration) * av_q2d(stream_->time_base);
}

int Audio::sample_rate() const { return stream_->codecpar->sample_rate; }

int Audio::channels() const { return stream_->codecpar->ch_layout.nb_channels; }

nlohmann::json Audio::metadata() const {
  nlohmann::json facts = demuxer_.container_facts();
  facts["codec"] = avcodec_get_name(stream_->codecpar->codec_id);
  facts["sample_rate"] = sample_rate();
  facts["channels"] = channels();
  const int bits = std::max(stream_->codecpar->bits_per_raw_sample,
                            av_get_bits_per_sample(stream_->codecpar->codec_id));
  if (bits > 0) facts["bits"] = bits;
  return facts;
}

std::optional<double> Audio::loudness() {
  std::optional<AudioConverter> converter;
  std::optional<LoudnessMeter> meter;
  std::vector<double> samples;
  for_each_frame([&](const AVFrame* frame) {
    if (!meter) {
      // Below 8 kHz the filters have no meaning: measured at 48 kHz.
      const int rate = frame->sample_rate < 8000 ? 48000 : frame->sample_rate;
      std::vector<double> weights;
      weights.reserve(frame->ch_layout.nb_channels);
      for (int i = 0; i < frame->ch_layout.nb_channels; ++i) {
        weights.push_back(channel_weight(
            av_channel_layout_channel_from_index(&frame->ch_layout, static_cast<unsigned>(i))));
      }
      converter.emplace(AV_SAMPLE_FMT_DBL, rate, frame->ch_layout);
      meter.emplace(rate, std::move(weights));
    }
    const FramePtr converted = converter->convert(frame);
    const auto* data = reinterpret_cast<const double*>(converted->data[0]);
    meter->add(
        {data, static_cast<std::size_t>(converted->nb_samples) * converted->ch_layout.nb_channels});
  });
  return meter ? meter->integrated() : std::nullopt;
}

void Audio::check_decodable() {
  bool decoded = false;
  decode([&](const AVFrame*) {
    decoded = true;
    return false;
  });
}

void Audio::for_each_frame(const std::function<void(const AVFrame*)>& take) {
  decode([&](const AVFrame* frame) {
    take(frame);
    return true;
  });
}

void Audio::decode(const std::function<bool(const AVFrame*)>& take) {
  demuxer_.rewind();
  stream_ = demuxer_.best_stream(AVMEDIA_TYPE_AUDIO);
  const CodecPtr decoder = demuxer_.open_decoder(stream_);
  const PacketPtr packet = make_packet();
  const FramePtr frame = make_frame();
  bool any = false;
  bool drained = false;  // the decoder was told that no packet follows
  while (true) {
    const int outcome = avcodec_receive_frame(decoder.get(), frame.get());
    if (outcome >= 0) {
      any = true;
      if (!take(frame.get())) return;
      continue;
    }
    if (outcome == AVERROR_EOF || drained) break;
    // Damaged packets are passed over, as players do.
    drained = !demuxer_.read(stream_, packet.get());
    avcodec_send_packet(decoder.get(), drained ? nullptr : packet.get());
  }
  if (!any) {
    throw FunctionFailure("decode", fmt::format("no sample of the {} can be decoded: it is "
                                                "damaged or truncated",
                                                demuxer_.kind()));
  }
}

}  // namespace coppice::functions
