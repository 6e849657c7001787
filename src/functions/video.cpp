#include "functions/video.h"

#include <fmt/core.h>

#include <array>
#include <cmath>
#include <nlohmann/json.hpp>

#include "functions/failure.h"
#include "functions/frame_image.h"

namespace coppice::functions {
namespace {

double to_number(AVRational ratio) { return ratio.den == 0 ? 0 : av_q2d(ratio); }

nlohmann::json facts_of(const AVStream* stream) {
  const AVCodecParameters* parameters = stream->codecpar;
  const char* type = av_get_media_type_string(parameters->codec_type);
  nlohmann::json facts = {{"type", type == nullptr ? "unknown" : type},
                          {"codec", avcodec_get_name(parameters->codec_id)}};
  if (parameters->bit_rate > 0) facts["bit_rate"] = parameters->bit_rate;
  if (parameters->codec_type == AVMEDIA_TYPE_VIDEO) {
    facts["width"] = parameters->width;
    facts["height"] = parameters->height;
    facts["fps"] = to_number(stream->avg_frame_rate);
    const char* format = av_get_pix_fmt_name(static_cast<AVPixelFormat>(parameters->format));
    if (format != nullptr) facts["pixel_format"] = format;
    const AVRational aspect = parameters->sample_aspect_ratio;
    if (aspect.num > 0 && aspect.num != aspect.den) facts["pixel_aspect"] = to_number(aspect);
    if ((stream->disposition & AV_DISPOSITION_ATTACHED_PIC) != 0) facts["cover_art"] = true;
  } else if (parameters->codec_type == AVMEDIA_TYPE_AUDIO) {
    facts["sample_rate"] = parameters->sample_rate;
    facts["channels"] = parameters->ch_layout.nb_channels;
  }
  if (nlohmann::json tags = tags_of(stream->metadata); !tags.empty()) facts["tags"] = tags;
  return facts;
}

}  // namespace

Video::Video(const std::filesystem::path& file, const Limits& limits)
    : limits_(limits),
      demuxer_(file, "video", limits),
      stream_(demuxer_.best_stream(AVMEDIA_TYPE_VIDEO)),
      packet_(make_packet()) {
  if (stream_ == nullptr) {
    throw FunctionFailure("decode", fmt::format("the {} file has no video stream: it is not a "
                                                "video",
                                                demuxer_.format()));
  }
  if (stream_->codecpar->width < 1 || stream_->codecpar->height < 1) {
    throw FunctionFailure("decode", "the video stream has no size: it is damaged");
  }
}

ImageSize Video::size() const {
  const AVCodecParameters* parameters = stream_->codecpar;
  const bool turned = quarter_turns_of(stream_) % 2 != 0;
  return turned ? ImageSize{parameters->height, parameters->width}
                : ImageSize{parameters->width, parameters->height};
}

double Video::duration() const {
  if (const double seconds = demuxer_.duration_seconds(); seconds > 0) return seconds;
  if (stream_->duration == AV_NOPTS_VALUE) {
    throw FunctionFailure("decode", "the video does not say how long it is");
  }
  return static_cast<double>(stream_->duration) * av_q2d(stream_->time_base);
}

double Video::fps() const {
  const double average = to_number(stream_->avg_frame_rate);
  return average > 0 ? average : to_number(stream_->r_frame_rate);
}

std::int64_t Video::frame_count() {
  rewind();
  std::int64_t count = 0;
  while (demuxer_.read(stream_, packet_.get())) {
    // Packets that an edit list cuts away are decoded but not shown.
    if ((packet_->flags & AV_PKT_FLAG_DISCARD) == 0 && packet_->size > 0) ++count;
  }
  return count;
}

nlohmann::json Video::metadata() const {
  nlohmann::json facts = demuxer_.container_facts();
  facts["width"] = size().width;
  facts["height"] = size().height;
  facts["fps"] = fps();
  if (quarter_turns_of(stream_) != 0) facts["rotation"] = quarter_turns_of(stream_) * 90;
  facts["streams"] = nlohmann::json::array();
  for (unsigned i = 0; i < demuxer_.context()->nb_streams; ++i) {
    facts["streams"].push_back(facts_of(demuxer_.context()->streams[i]));
  }
  return facts;
}

std::optional<Image> Video::frame_at(double seconds) {
  if (!(seconds >= 0) || std::isinf(seconds)) {
    throw FunctionFailure("range", fmt::format("there is no frame at {} seconds: times count from "
                                               "0",
                                               seconds));
  }
  limits_.check_pixels(size().width, size().height);
  if (!decoder_) decoder_ = demuxer_.open_decoder(stream_);
  const double ticks = std::min(seconds / av_q2d(stream_->time_base), 4e18);
  // A thousandth of a tick forgives the rounding of decimal fractions.
  const std::int64_t target = first_timestamp() + static_cast<std::int64_t>(ticks + 1e-3);
  const FramePtr frame = find_frame(target);
  if (!frame) throw FunctionFailure("decode", "no frame of the video can be decoded");
  const bool over = at_end_ && target >= frame->best_effort_timestamp + frame_duration(frame.get());
  if (over) return std::nullopt;
  return FrameConverter(limits_).to_image(frame.get(), quarter_turns_of(stream_));
}

void Video::check_decodable() {
  limits_.check_pixels(size().width, size().height);
  if (!decoder_) decoder_ = demuxer_.open_decoder(stream_);
  const FramePtr frame = make_frame();
  if (!next_frame(frame.get())) {
    throw FunctionFailure("decode",
                          "no frame of the video can be decoded: it is damaged or "
                          "truncated");
  }
  limits_.check_pixels(frame->width, frame->height);
}

// The last frame whose time is not after `target`, or the first of all; null when there is none.
FramePtr Video::find_frame(std::int64_t target) {
  const auto ticks = [this](double seconds) {
    return static_cast<std::int64_t>(seconds / av_q2d(stream_->time_base));
  };
  const std::int64_t first = first_timestamp();
  const std::int64_t last = std::max(first, first + ticks(demuxer_.duration_seconds()));
  const std::int64_t wanted = std::min(target, last);
  // Some containers seek by decoding time or without an index and land too late: try earlier ones.
  const std::array<std::int64_t, 4> starts = {wanted, wanted - ticks(2), wanted - ticks(10), first};
  FramePtr shown = make_frame();
  FramePtr next = make_frame();
  for (const std::int64_t start : starts) {
    const bool from_start = start <= first;
    if (from_start) {
      rewind();
    } else if (!demuxer_.seek(stream_, start)) {
      continue;
    }
    avcodec_flush_buffers(decoder_.get());
    drained_ = at_end_ = false;
    bool found = false;
    std::int64_t expected = first;
    while (next_frame(next.get())) {
      if (next->best_effort_timestamp == AV_NOPTS_VALUE) next->best_effort_timestamp = expected;
      if (next->best_effort_timestamp > target) {
        if (found) return shown;
        if (from_start) return next;
        break;
      }
      found = true;
      expected = next->best_effort_timestamp + frame_duration(next.get());
      std::swap(shown, next);
    }
    if (found) return shown;
    if (from_start) return nullptr;
  }
  return nullptr;
}

void Video::rewind() {
  demuxer_.rewind();
  stream_ = demuxer_.best_stream(AVMEDIA_TYPE_VIDEO);
}

// Damaged packets are passed over, as players do.
bool Video::next_frame(AVFrame* frame) {
  av_frame_unref(frame);
  while (true) {
    const int outcome = avcodec_receive_frame(decoder_.get(), frame);
    if (outcome >= 0) return true;
    if (outcome == AVERROR_EOF || drained_) {
      at_end_ = true;
      return false;
    }
    drained_ = !demuxer_.read(stream_, packet_.get());
    avcodec_send_packet(decoder_.get(), drained_ ? nullptr : packet_.get());
  }
}

std::int64_t Video::first_timestamp() const {
  return stream_->start_time == AV_NOPTS_VALUE ? 0 : stream_->start_time;
}

std::int64_t Video::frame_duration(const AVFrame* frame) const {
  if (frame->pkt_duration > 0) return frame->pkt_duration;
  const double rate = fps() > 0 ? fps() : 25;
  return std::max<std::int64_t>(1, std::llround(1 / (rate * av_q2d(stream_->time_base))));
}

}  // namespace coppice::functions
