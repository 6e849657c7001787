#include "functions/movie_writer.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <new>
#include <optional>

extern "C" {
#include <libavutil/audio_fifo.h>
}

#include "functions/audio_converter.h"
#include "functions/failure.h"
#include "functions/muxer.h"

namespace coppice::functions {
namespace {

constexpr int kEncoderThreads = 1;  // the same bytes on every machine, however busy it is
constexpr int kSoundBitRate = 160'000;

struct FreeFifo {
  void operator()(AVAudioFifo* fifo) const { av_audio_fifo_free(fifo); }
};

CodecPtr open_encoder(const char* name, const std::function<void(AVCodecContext*)>& configure) {
  const AVCodec* codec = avcodec_find_encoder_by_name(name);
  if (codec == nullptr) {
    throw FunctionFailure("unsupported", std::string("this FFmpeg has no encoder ") + name);
  }
  CodecPtr encoder(avcodec_alloc_context3(codec));
  if (!encoder) throw std::bad_alloc();
  configure(encoder.get());
  check_av(avcodec_open2(encoder.get(), codec, nullptr),
           std::string("the encoder ") + name + " does not take this");
  return encoder;
}

}  // namespace

struct MovieWriter::State {
  State(const MovieFormat& the_format, const std::filesystem::path& target)
      : format(the_format), muxer("mp4", target) {
    format.size = {std::max(2, format.size.width & ~1), std::max(2, format.size.height & ~1)};
    open_picture();
    if (format.sound != nullptr) open_sound();
    muxer.begin();
  }

  void open_picture();
  void open_sound();
  FramePtr converted(const AVFrame* frame);
  std::int64_t frame_ticks() const;
  void drain(AVCodecContext* encoder, const AVStream* stream, const AVFrame* frame);
  void drain_fifo(bool all);

  MovieFormat format;
  Muxer muxer;
  CodecPtr picture;
  AVStream* picture_stream = nullptr;
  ScalerPtr scaler;
  CodecPtr sound;
  AVStream* sound_stream = nullptr;
  std::optional<AudioConverter> converter;
  std::unique_ptr<AVAudioFifo, FreeFifo> fifo;
  std::optional<std::int64_t> sample_position;
  std::int64_t frame_count = 0;
  PacketPtr packet = make_packet();
};

void MovieWriter::State::open_picture() {
  picture = open_encoder("libx264", [&](AVCodecContext* encoder) {
    encoder->width = format.size.width;
    encoder->height = format.size.height;
    encoder->pix_fmt = AV_PIX_FMT_YUV420P;
    encoder->time_base = format.time_base;
    encoder->framerate = format.frame_rate;
    encoder->sample_aspect_ratio = format.pixel_aspect;
    encoder->colorspace = format.color_space;
    encoder->color_range = format.color_range;
    encoder->thread_count = kEncoderThreads;
    encoder->flags |= AV_CODEC_FLAG_BITEXACT;
    if (muxer.wants_global_header()) encoder->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
    av_opt_set(encoder->priv_data, "preset", "veryfast", 0);
    av_opt_set(encoder->priv_data, "crf", "19", 0);
    // The AVX-512 code of x264's macroblock tree (164, Debian 12) reads memory that nobody has
    // written: with it the same frames give other bytes now and then. Without it the same quality
    // takes about a quarter more bytes.
    av_opt_set(encoder->priv_data, "mbtree", "0", 0);
  });
  picture_stream = muxer.add_stream(picture.get());
  if (format.turned_like == nullptr) return;
  std::size_t size = 0;
  const std::uint8_t* matrix =
      av_stream_get_side_data(format.turned_like, AV_PKT_DATA_DISPLAYMATRIX, &size);
  if (matrix == nullptr) return;
  std::uint8_t* copy = av_stream_new_side_data(picture_stream, AV_PKT_DATA_DISPLAYMATRIX, size);
  if (copy == nullptr) throw std::bad_alloc();
  std::memcpy(copy, matrix, size);
}

void MovieWriter::State::open_sound() {
  sound = open_encoder("aac", [&](AVCodecContext* encoder) {
    encoder->sample_fmt = AV_SAMPLE_FMT_FLTP;
    encoder->sample_rate = std::clamp(format.sound->sample_rate, 8000, 96'000);
    const int channels = format.sound->ch_layout.nb_channels;
    av_channel_layout_default(&encoder->ch_layout, channels == 1 ? 1 : 2);
    encoder->time_base = {1, encoder->sample_rate};
    encoder->bit_rate = kSoundBitRate;
    encoder->thread_count = 1;
    encoder->flags |= AV_CODEC_FLAG_BITEXACT;
    if (muxer.wants_global_header()) encoder->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
  });
  sound_stream = muxer.add_stream(sound.get());
  converter.emplace(sound->sample_fmt, sound->sample_rate, sound->ch_layout);
  fifo.reset(av_audio_fifo_alloc(sound->sample_fmt, sound->ch_layout.nb_channels, 1));
  if (!fifo) throw std::bad_alloc();
}

FramePtr MovieWriter::State::converted(const AVFrame* frame) {
  FramePtr result;
  if (frame->format == AV_PIX_FMT_YUV420P && frame->width == format.size.width &&
      frame->height == format.size.height) {
    result.reset(av_frame_clone(frame));
    if (!result) throw std::bad_alloc();
    return result;
  }
  result = make_frame();
  result->format = AV_PIX_FMT_YUV420P;
  result->width = format.size.width;
  result->height = format.size.height;
  check_av(av_frame_get_buffer(result.get(), 0), "a frame");
  // An odd last row or column is left out rather than squeezed in.
  const bool cut =
      (frame->width & ~1) == format.size.width && (frame->height & ~1) == format.size.height;
  const int source_width = cut ? format.size.width : frame->width;
  const int source_height = cut ? format.size.height : frame->height;
  scaler.reset(sws_getCachedContext(
      scaler.release(), source_width, source_height, static_cast<AVPixelFormat>(frame->format),
      format.size.width, format.size.height, AV_PIX_FMT_YUV420P,
      SWS_BICUBIC | SWS_ACCURATE_RND | SWS_BITEXACT, nullptr, nullptr, nullptr));
  if (!scaler) {
    throw FunctionFailure("unsupported", "frames of this pixel format cannot be encoded");
  }
  check_av(sws_scale(scaler.get(), frame->data, frame->linesize, 0, source_height, result->data,
                     result->linesize),
           "the frame cannot be scaled");
  return result;
}

// How long a frame is shown, as far as the format knows.
std::int64_t MovieWriter::State::frame_ticks() const {
  const bool known = format.frame_rate.num > 0 && format.frame_rate.den > 0;
  return std::max<std::int64_t>(
      1,
      av_rescale_q(1, known ? av_inv_q(format.frame_rate) : AVRational{1, 25}, format.time_base));
}

void MovieWriter::State::drain(AVCodecContext* encoder, const AVStream* stream,
                               const AVFrame* frame) {
  check_av(avcodec_send_frame(encoder, frame), "the encoder");
  while (avcodec_receive_packet(encoder, packet.get()) >= 0) {
    // An MP4 without it would end before its last frame.
    if (packet->duration == 0 && encoder == picture.get()) packet->duration = frame_ticks();
    muxer.write(packet.get(), stream, encoder->time_base);
  }
}

void MovieWriter::State::drain_fifo(bool all) {
  while (true) {
    const int held = av_audio_fifo_size(fifo.get());
    const int count = std::min(held, sound->frame_size);
    if (count == 0 || (count < sound->frame_size && !all)) return;
    const FramePtr frame = make_frame();
    frame->format = sound->sample_fmt;
    frame->sample_rate = sound->sample_rate;
    frame->nb_samples = count;
    check_av(av_channel_layout_copy(&frame->ch_layout, &sound->ch_layout), "the channel layout");
    check_av(av_frame_get_buffer(frame.get(), 0), "the encoder");
    av_audio_fifo_read(fifo.get(), reinterpret_cast<void**>(frame->extended_data), count);
    frame->pts = *sample_position;
    *sample_position += count;
    drain(sound.get(), sound_stream, frame.get());
  }
}

MovieWriter::MovieWriter(const MovieFormat& format, const std::filesystem::path& target)
    : state_(std::make_unique<State>(format, target)) {}

MovieWriter::~MovieWriter() = default;

void MovieWriter::add_frame(const AVFrame* frame, std::int64_t ticks) {
  const FramePtr picture = state_->converted(frame);
  if (state_->format.grey) {
    check_av(av_frame_make_writable(picture.get()), "the frame");
    for (const int plane : {1, 2}) {
      std::memset(picture->data[plane], 128,
                  static_cast<std::size_t>(picture->linesize[plane]) * ((picture->height + 1) / 2));
    }
  }
  picture->pts = ticks;
  picture->pict_type = AV_PICTURE_TYPE_NONE;  // the encoder decides
  ++state_->frame_count;
  state_->drain(state_->picture.get(), state_->picture_stream, picture.get());
}

void MovieWriter::add_samples(const AVFrame* samples, double at_seconds) {
  if (!state_->sound) return;
  if (!state_->sample_position) {
    state_->sample_position = std::llround(std::max(0.0, at_seconds) * state_->sound->sample_rate);
  }
  const FramePtr converted = state_->converter->convert(samples);
  if (converted->nb_samples > 0 &&
      av_audio_fifo_write(state_->fifo.get(), reinterpret_cast<void**>(converted->extended_data),
                          converted->nb_samples) < converted->nb_samples) {
    throw std::bad_alloc();
  }
  state_->drain_fifo(false);
}

void MovieWriter::finish() {
  if (state_->frame_count == 0) throw FunctionFailure("decode", "the movie has no frame");
  if (state_->sound) {
    if (state_->sample_position) {
      add_samples(nullptr, 0);
      state_->drain_fifo(true);
    }
    state_->drain(state_->sound.get(), state_->sound_stream, nullptr);
  }
  state_->drain(state_->picture.get(), state_->picture_stream, nullptr);
  state_->muxer.finish();
}

}  // namespace coppice::functions
