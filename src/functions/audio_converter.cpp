#include "functions/audio_converter.h"

#include <algorithm>

namespace coppice::functions {
namespace {

constexpr const char* kWhat = "the samples cannot be converted";

}  // namespace

AudioConverter::AudioConverter(AVSampleFormat format, int sample_rate,
                               const AVChannelLayout& layout)
    : format_(format), sample_rate_(sample_rate) {
  check_av(av_channel_layout_copy(&layout_, &layout), kWhat);
}

AudioConverter::~AudioConverter() {
  av_channel_layout_uninit(&layout_);
  av_channel_layout_uninit(&input_layout_);
}

void AudioConverter::configure(const AVFrame* frame) {
  if (resampler_ && frame->format == input_format_ && frame->sample_rate == input_rate_ &&
      av_channel_layout_compare(&frame->ch_layout, &input_layout_) == 0) {
    return;
  }
  input_format_ = frame->format;
  input_rate_ = frame->sample_rate;
  check_av(av_channel_layout_copy(&input_layout_, &frame->ch_layout), kWhat);
  SwrContext* raw = nullptr;
  const int outcome =
      swr_alloc_set_opts2(&raw, &layout_, format_, sample_rate_, &input_layout_,
                          static_cast<AVSampleFormat>(input_format_), input_rate_, 0, nullptr);
  resampler_.reset(raw);
  check_av(outcome, kWhat);
  check_av(swr_init(raw), kWhat);
}

FramePtr AudioConverter::convert(const AVFrame* frame) {
  FramePtr result = make_frame();
  if (frame == nullptr && !resampler_) return result;
  if (frame != nullptr) configure(frame);
  const int input_count = frame == nullptr ? 0 : frame->nb_samples;
  result->format = format_;
  result->sample_rate = sample_rate_;
  check_av(av_channel_layout_copy(&result->ch_layout, &layout_), kWhat);
  result->nb_samples = std::max(1, swr_get_out_samples(resampler_.get(), input_count));
  check_av(av_frame_get_buffer(result.get(), 0), kWhat);
  const auto** input =
      frame == nullptr ? nullptr : const_cast<const std::uint8_t**>(frame->extended_data);
  const int count =
      swr_convert(resampler_.get(), result->extended_data, result->nb_samples, input, input_count);
  check_av(count, kWhat);
  result->nb_samples = count;
  return result;
}

}  // namespace coppice::functions
