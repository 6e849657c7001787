#include "functions/sound_reader.h"

#include <algorithm>

namespace coppice::functions {

SoundReader::SoundReader(const std::filesystem::path& file, const Limits& limits)
    : demuxer_(file, "video", limits), packet_(make_packet()) {
  open();
}

void SoundReader::open() {
  stream_ = demuxer_.best_stream(AVMEDIA_TYPE_AUDIO);
  if (stream_ != nullptr) decoder_ = demuxer_.open_decoder(stream_);
  drained_ = false;
  const std::int64_t start =
      stream_ == nullptr || stream_->start_time == AV_NOPTS_VALUE ? 0 : stream_->start_time;
  expected_ = stream_ == nullptr ? 0 : static_cast<double>(start) * av_q2d(stream_->time_base);
}

void SoundReader::seek(double seconds) {
  // Decoders need some frames before their samples are right.
  constexpr double kLeadIn = 0.5;
  wanted_ = seconds;
  const auto target = static_cast<std::int64_t>((seconds - kLeadIn) / av_q2d(stream_->time_base));
  if (target > stream_->start_time && demuxer_.seek(stream_, target)) {
    avcodec_flush_buffers(decoder_.get());
    drained_ = false;
    return;
  }
  demuxer_.rewind();
  open();
}

bool SoundReader::next(AVFrame* frame) {
  while (decode(frame)) {
    if (expected_ > wanted_) return true;
  }
  return false;
}

bool SoundReader::decode(AVFrame* frame) {
  av_frame_unref(frame);
  while (true) {
    const int outcome = avcodec_receive_frame(decoder_.get(), frame);
    if (outcome >= 0) {
      seconds_ =
          frame->best_effort_timestamp == AV_NOPTS_VALUE
              ? expected_
              : static_cast<double>(frame->best_effort_timestamp) * av_q2d(stream_->time_base);
      expected_ =
          seconds_ + static_cast<double>(frame->nb_samples) / std::max(1, frame->sample_rate);
      return true;
    }
    if (outcome == AVERROR_EOF || drained_) return false;
    drained_ = !demuxer_.read(stream_, packet_.get());
    avcodec_send_packet(decoder_.get(), drained_ ? nullptr : packet_.get());
  }
}

}  // namespace coppice::functions
