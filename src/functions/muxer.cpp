#include "functions/muxer.h"

#include <fmt/core.h>

#include <cstring>
#include <new>

#include "base/error.h"
#include "functions/failure.h"

namespace coppice::functions {

void Muxer::Close::operator()(AVFormatContext* context) const {
  if (context->pb != nullptr) avio_closep(&context->pb);
  avformat_free_context(context);
}

Muxer::Muxer(const std::string& container, std::filesystem::path target)
    : target_(std::move(target)) {
  AVFormatContext* raw = nullptr;
  check_av(avformat_alloc_output_context2(&raw, nullptr, container.c_str(), nullptr),
           "no writer for " + container);
  context_.reset(raw);
  context_->flags |= AVFMT_FLAG_BITEXACT;
}

AVStream* Muxer::copy_stream(const AVStream* like) {
  AVStream* stream = avformat_new_stream(context_.get(), nullptr);
  if (stream == nullptr) throw std::bad_alloc();
  check_av(avcodec_parameters_copy(stream->codecpar, like->codecpar), "the stream");
  stream->codecpar->codec_tag = 0;  // each container has its own
  stream->time_base = like->time_base;
  stream->avg_frame_rate = like->avg_frame_rate;
  stream->sample_aspect_ratio = like->sample_aspect_ratio;
  std::size_t size = 0;
  const std::uint8_t* matrix = av_stream_get_side_data(like, AV_PKT_DATA_DISPLAYMATRIX, &size);
  if (matrix != nullptr) {
    std::uint8_t* copy = av_stream_new_side_data(stream, AV_PKT_DATA_DISPLAYMATRIX, size);
    if (copy == nullptr) throw std::bad_alloc();
    std::memcpy(copy, matrix, size);
  }
  return stream;
}

AVStream* Muxer::add_stream(const AVCodecContext* encoder) {
  AVStream* stream = avformat_new_stream(context_.get(), nullptr);
  if (stream == nullptr) throw std::bad_alloc();
  check_av(avcodec_parameters_from_context(stream->codecpar, encoder), "the encoder");
  stream->time_base = encoder->time_base;
  return stream;
}

bool Muxer::wants_global_header() const {
  return (context_->oformat->flags & AVFMT_GLOBALHEADER) != 0;
}

// Writing to our own file fails for lack of space far more often than for anything else.
void Muxer::check(int code) const {
  if (code >= 0) return;
  throw Error(code == AVERROR(ENOSPC) ? ErrorCode::kDiskFull : ErrorCode::kIo,
              fmt::format("cannot write {}: {}", target_.string(), av_reason(code)));
}

void Muxer::begin() {
  check(avio_open(&context_->pb, target_.c_str(), AVIO_FLAG_WRITE));
  const int outcome = avformat_write_header(context_.get(), nullptr);
  if (outcome == AVERROR(EINVAL) || outcome == AVERROR_PATCHWELCOME || outcome == AVERROR(ENOSYS)) {
    throw FunctionFailure("unsupported",
                          fmt::format("{} files do not take such streams: use mode accurate",
                                      context_->oformat->name));
  }
  check(outcome);
}

void Muxer::write(AVPacket* packet, const AVStream* stream, AVRational time_base) {
  av_packet_rescale_ts(packet, time_base, stream->time_base);
  packet->stream_index = stream->index;
  packet->pos = -1;
  check(av_interleaved_write_frame(context_.get(), packet));
}

void Muxer::finish() {
  check(av_write_trailer(context_.get()));
  check(avio_closep(&context_->pb));
}

}  // namespace coppice::functions
