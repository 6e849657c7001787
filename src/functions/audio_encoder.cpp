#include "functions/audio_encoder.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <new>
#include <optional>
#include <string_view>

extern "C" {
#include <libavutil/audio_fifo.h>
}

#include "base/error.h"
#include "base/text.h"
#include "functions/audio_converter.h"
#include "functions/failure.h"

namespace coppice::functions {
namespace {

struct AudioFormat {
  std::string_view name;
  const char* container;
  const char* codec;
  std::int64_t bit_rate;  // 0: lossless
  int most_channels;
};
constexpr std::array kFormats = {AudioFormat{"flac", "flac", "flac", 0, 8},
                                 AudioFormat{"wav", "wav", "pcm_s16le", 0, 32},
                                 AudioFormat{"mp3", "mp3", "libmp3lame", 192'000, 2},
                                 AudioFormat{"opus", "ogg", "libopus", 128'000, 2}};

const AudioFormat& find_format(const std::string& name) {
  const std::string wanted = lower(name);
  for (const AudioFormat& format : kFormats) {
    if (format.name == wanted) return format;
  }
  throw FunctionFailure("unsupported", fmt::format("no audio format \"{}\": it is one of flac, "
                                                   "wav, mp3, opus",
                                                   name));
}

struct CloseMuxer {
  void operator()(AVFormatContext* context) const {
    if (context->pb != nullptr) avio_closep(&context->pb);
    avformat_free_context(context);
  }
};
struct FreeFifo {
  void operator()(AVAudioFifo* fifo) const { av_audio_fifo_free(fifo); }
};

// Writing to our own file fails for lack of space far more often than for anything else.
void check_write(int code, const std::filesystem::path& target) {
  if (code >= 0) return;
  const bool full = code == AVERROR(ENOSPC);
  throw Error(full ? ErrorCode::kDiskFull : ErrorCode::kIo,
              fmt::format("cannot write {}: {}", target.string(), av_reason(code)));
}

class Encoder {
 public:
  Encoder(const AudioFormat& format, const AVFrame* first, bool deep,
          const std::filesystem::path& target);
  void add(const AVFrame* frame);
  void finish();

 private:
  void open_codec(const AudioFormat& format, const AVFrame* first, bool deep);
  void open_muxer(const AudioFormat& format);
  void drain_fifo(bool all);
  void encode(const AVFrame* frame);

  std::filesystem::path target_;
  CodecPtr codec_;
  std::unique_ptr<AVFormatContext, CloseMuxer> muxer_;
  std::optional<AudioConverter> converter_;
  std::unique_ptr<AVAudioFifo, FreeFifo> fifo_;
  PacketPtr packet_ = make_packet();
  std::int64_t position_ = 0;  // in samples
};

Encoder::Encoder(const AudioFormat& format, const AVFrame* first, bool deep,
                 const std::filesystem::path& target)
    : target_(target) {
  open_codec(format, first, deep);
  open_muxer(format);
  converter_.emplace(codec_->sample_fmt, codec_->sample_rate, codec_->ch_layout);
  fifo_.reset(av_audio_fifo_alloc(codec_->sample_fmt, codec_->ch_layout.nb_channels, 1));
  if (!fifo_) throw std::bad_alloc();
}

AVSampleFormat sample_format(const AVCodec* codec, bool deep) {
  // Planar float suits the lossy codecs; the lossless ones get what the source has.
  const std::array<AVSampleFormat, 6> preferred =
      deep
          ? std::array<AVSampleFormat, 6>{AV_SAMPLE_FMT_S32, AV_SAMPLE_FMT_S32P, AV_SAMPLE_FMT_FLTP,
                                          AV_SAMPLE_FMT_FLT, AV_SAMPLE_FMT_S16,  AV_SAMPLE_FMT_S16P}
          : std::array<AVSampleFormat, 6>{AV_SAMPLE_FMT_S16,  AV_SAMPLE_FMT_S16P,
                                          AV_SAMPLE_FMT_FLTP, AV_SAMPLE_FMT_FLT,
                                          AV_SAMPLE_FMT_S32,  AV_SAMPLE_FMT_S32P};
  for (const AVSampleFormat format : preferred) {
    for (const AVSampleFormat* known = codec->sample_fmts; *known != AV_SAMPLE_FMT_NONE; ++known) {
      if (*known == format) return format;
    }
  }
  return codec->sample_fmts[0];
}

// The rate itself when the codec knows it, else the next higher one, else its highest.
int sample_rate(const AVCodec* codec, int wanted) {
  if (codec->supported_samplerates == nullptr) return wanted;
  int higher = 0;
  int highest = 0;
  for (const int* rate = codec->supported_samplerates; *rate != 0; ++rate) {
    highest = std::max(highest, *rate);
    if (*rate >= wanted && (higher == 0 || *rate < higher)) higher = *rate;
  }
  return higher != 0 ? higher : highest;
}

void Encoder::open_codec(const AudioFormat& format, const AVFrame* first, bool deep) {
  const bool deep_wav = deep && format.name == "wav";
  const AVCodec* codec = avcodec_find_encoder_by_name(deep_wav ? "pcm_s32le" : format.codec);
  if (codec == nullptr) {
    throw FunctionFailure("unsupported",
                          fmt::format("this FFmpeg has no encoder for {}", format.name));
  }
  codec_.reset(avcodec_alloc_context3(codec));
  if (!codec_) throw std::bad_alloc();
  codec_->sample_fmt = sample_format(codec, deep);
  codec_->sample_rate = sample_rate(codec, first->sample_rate);
  const int channels = first->ch_layout.nb_channels;
  if (channels > format.most_channels) {
    av_channel_layout_default(&codec_->ch_layout, 2);
  } else if (first->ch_layout.order == AV_CHANNEL_ORDER_UNSPEC) {
    av_channel_layout_default(&codec_->ch_layout, channels);
  } else {
    check_av(av_channel_layout_copy(&codec_->ch_layout, &first->ch_layout), "the channel layout");
  }
  codec_->bit_rate = format.bit_rate;
  codec_->time_base = {1, codec_->sample_rate};
  codec_->thread_count = 1;
  codec_->flags |= AV_CODEC_FLAG_BITEXACT;
  if (deep && format.name == "flac") codec_->bits_per_raw_sample = 24;
}

void Encoder::open_muxer(const AudioFormat& format) {
  AVFormatContext* raw = nullptr;
  check_av(avformat_alloc_output_context2(&raw, nullptr, format.container, nullptr),
           fmt::format("no writer for {}", format.container));
  muxer_.reset(raw);
  muxer_->flags |= AVFMT_FLAG_BITEXACT;
  if ((muxer_->oformat->flags & AVFMT_GLOBALHEADER) != 0) {
    codec_->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
  }
  check_av(avcodec_open2(codec_.get(), codec_->codec, nullptr),
           fmt::format("the sound cannot be encoded as {}", format.name));
  AVStream* stream = avformat_new_stream(muxer_.get(), nullptr);
  if (stream == nullptr) throw std::bad_alloc();
  check_av(avcodec_parameters_from_context(stream->codecpar, codec_.get()), "the encoder");
  stream->time_base = codec_->time_base;
  check_write(avio_open(&muxer_->pb, target_.c_str(), AVIO_FLAG_WRITE), target_);
  check_write(avformat_write_header(muxer_.get(), nullptr), target_);
}

void Encoder::add(const AVFrame* frame) {
  const FramePtr converted = converter_->convert(frame);
  if (converted->nb_samples > 0 &&
      av_audio_fifo_write(fifo_.get(), reinterpret_cast<void**>(converted->extended_data),
                          converted->nb_samples) < converted->nb_samples) {
    throw std::bad_alloc();
  }
  drain_fifo(false);
}

void Encoder::drain_fifo(bool all) {
  const int block = codec_->frame_size > 0 ? codec_->frame_size : 4096;
  while (true) {
    const int held = av_audio_fifo_size(fifo_.get());
    const int count = std::min(held, block);
    if (count == 0 || (count < block && !all)) return;
    const FramePtr frame = make_frame();
    frame->format = codec_->sample_fmt;
    frame->sample_rate = codec_->sample_rate;
    frame->nb_samples = count;
    check_av(av_channel_layout_copy(&frame->ch_layout, &codec_->ch_layout), "the channel layout");
    check_av(av_frame_get_buffer(frame.get(), 0), "the encoder");
    av_audio_fifo_read(fifo_.get(), reinterpret_cast<void**>(frame->extended_data), count);
    frame->pts = position_;
    position_ += count;
    encode(frame.get());
  }
}

void Encoder::encode(const AVFrame* frame) {
  check_av(avcodec_send_frame(codec_.get(), frame), "the encoder");
  while (avcodec_receive_packet(codec_.get(), packet_.get()) >= 0) {
    av_packet_rescale_ts(packet_.get(), codec_->time_base, muxer_->streams[0]->time_base);
    packet_->stream_index = 0;
    check_write(av_interleaved_write_frame(muxer_.get(), packet_.get()), target_);
  }
}

void Encoder::finish() {
  add(nullptr);
  drain_fifo(true);
  encode(nullptr);
  check_write(av_write_trailer(muxer_.get()), target_);
  check_write(avio_closep(&muxer_->pb), target_);
}

}  // namespace

struct AudioEncoder::State {
  Encoder encoder;
};

AudioEncoder::AudioEncoder(const std::string& format, const AVFrame* like, bool deep,
                           const std::filesystem::path& target)
    : state_(new State{Encoder(find_format(format), like, deep, target)}) {}

AudioEncoder::~AudioEncoder() = default;

void AudioEncoder::add(const AVFrame* frame) { state_->encoder.add(frame); }

void AudioEncoder::finish() { state_->encoder.finish(); }

bool has_deep_samples(const AVStream* stream) {
  const int bits = std::max(stream->codecpar->bits_per_raw_sample,
                            av_get_exact_bits_per_sample(stream->codecpar->codec_id));
  return bits > 16;
}

std::string audio_extension(const std::string& format) {
  return std::string(find_format(format).name);
}

void encode_audio(Audio& source, const std::string& format, const std::filesystem::path& target) {
  const AudioFormat& wanted = find_format(format);
  std::optional<Encoder> encoder;
  source.for_each_frame([&](const AVFrame* frame) {
    if (!encoder) encoder.emplace(wanted, frame, has_deep_samples(source.stream()), target);
    encoder->add(frame);
  });
  encoder->finish();  // for_each_frame throws when there is no frame at all
}

}  // namespace coppice::functions
