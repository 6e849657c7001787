#include "functions/frame_reader.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "functions/failure.h"

namespace coppice::functions {

FrameReader::FrameReader(const std::filesystem::path& file, const Limits& limits, Wanted wanted)
    : limits_(limits), wanted_(wanted), demuxer_(file, "video", limits), packet_(make_packet()) {
  open_decoder();
}

void FrameReader::open_decoder() {
  stream_ = demuxer_.best_stream(AVMEDIA_TYPE_VIDEO);
  if (stream_ == nullptr) {
    throw FunctionFailure("decode", fmt::format("the {} file has no video stream: it is not a "
                                                "video",
                                                demuxer_.format()));
  }
  limits_.check_pixels(stream_->codecpar->width, stream_->codecpar->height);
  // What is not asked for is not even given to a key frame decoder, so threads have nothing to do.
  decoder_ = demuxer_.open_decoder(stream_, wanted_ == Wanted::kAll ? limits_.threads : 1);
  if (wanted_ == Wanted::kKeyFrames) decoder_->skip_frame = AVDISCARD_NONKEY;
  drained_ = false;
  fresh_ = true;
  expected_ = first_timestamp();
}

bool FrameReader::next(AVFrame* frame) {
  av_frame_unref(frame);
  while (true) {
    const int outcome = avcodec_receive_frame(decoder_.get(), frame);
    if (outcome >= 0) {
      limits_.check_pixels(frame->width, frame->height);
      set_timestamp(frame);
      return true;
    }
    if (outcome == AVERROR_EOF || drained_) return false;
    do {
      drained_ = !demuxer_.read(stream_, packet_.get());
    } while (!drained_ && wanted_ == Wanted::kKeyFrames && (packet_->flags & AV_PKT_FLAG_KEY) == 0);
    avcodec_send_packet(decoder_.get(), drained_ ? nullptr : packet_.get());
  }
}

void FrameReader::set_timestamp(AVFrame* frame) {
  std::int64_t& timestamp = frame->best_effort_timestamp;
  if (timestamp == AV_NOPTS_VALUE) timestamp = expected_;
  // One that goes back is damage: a player shows such a frame after the one before it.
  if (!fresh_) timestamp = std::max(timestamp, last_ + 1);
  fresh_ = false;
  last_ = timestamp;
  expected_ = timestamp + frame_ticks(frame);
}

void FrameReader::seek(std::int64_t timestamp) {
  if (timestamp > first_timestamp() && demuxer_.seek(stream_, timestamp)) {
    avcodec_flush_buffers(decoder_.get());
    drained_ = false;
    fresh_ = true;
    return;
  }
  demuxer_.rewind();
  open_decoder();
}

bool FrameReader::find(std::int64_t timestamp, AVFrame* frame) {
  // Some containers seek by decoding time or without an index and land too late: then from the
  // start.
  const auto margin = static_cast<std::int64_t>(2 / av_q2d(time_base()));
  for (const std::int64_t start : {timestamp, timestamp - margin, first_timestamp()}) {
    seek(start);
    bool found = next(frame);
    const bool late = found && frame->best_effort_timestamp > timestamp;
    if ((late || !found) && start > first_timestamp()) continue;
    while (found && frame->best_effort_timestamp < timestamp) found = next(frame);
    return found;
  }
  return false;
}

std::int64_t FrameReader::first_timestamp() const {
  return stream_->start_time == AV_NOPTS_VALUE ? 0 : stream_->start_time;
}

double FrameReader::seconds_at(std::int64_t timestamp) const {
  return static_cast<double>(timestamp - first_timestamp()) * av_q2d(stream_->time_base);
}

std::int64_t FrameReader::timestamp_at(double seconds) const {
  const double ticks = std::min(seconds / av_q2d(stream_->time_base), 4e18);
  // A thousandth of a tick forgives the rounding of decimal fractions.
  return first_timestamp() + static_cast<std::int64_t>(ticks + 1e-3);
}

double FrameReader::fps() const {
  const auto number = [](AVRational ratio) { return ratio.den == 0 ? 0 : av_q2d(ratio); };
  const double average = number(stream_->avg_frame_rate);
  return average > 0 ? average : number(stream_->r_frame_rate);
}

double FrameReader::duration_seconds() const {
  if (const double seconds = demuxer_.duration_seconds(); seconds > 0) return seconds;
  return stream_->duration == AV_NOPTS_VALUE
             ? 0
             : static_cast<double>(stream_->duration) * av_q2d(stream_->time_base);
}

std::int64_t FrameReader::frame_ticks(const AVFrame* frame) const {
  if (frame->pkt_duration > 0) return frame->pkt_duration;
  const double rate = fps() > 0 ? fps() : 25;
  return std::max<std::int64_t>(1, std::llround(1 / (rate * av_q2d(stream_->time_base))));
}

}  // namespace coppice::functions
