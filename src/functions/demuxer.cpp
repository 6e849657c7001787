#include "functions/demuxer.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <new>
#include <nlohmann/json.hpp>
#include <string_view>

#include "base/error.h"
#include "base/text.h"
#include "functions/failure.h"

namespace coppice::functions {
namespace {

constexpr int kBufferBytes = 1 << 16;

// What FFmpeg can open but is not video or audio: pictures, playlists, subtitles, text art.
bool is_refused(std::string_view format) {
  constexpr std::array<std::string_view, 28> kRefused = {
      "image2",     "image2pipe", "tty",      "bin",  "xbin",    "adf",      "idf",
      "ffmetadata", "concat",     "hls",      "dash", "imf",     "sdp",      "rtsp",
      "rtp",        "data",       "srt",      "ass",  "webvtt",  "microdvd", "subviewer",
      "subviewer1", "sami",       "realtext", "mpl2", "jacosub", "lrc",      "txd"};
  return format.ends_with("_pipe") ||
         std::find(kRefused.begin(), kRefused.end(), format) != kRefused.end();
}

int refuse_to_open(AVFormatContext*, AVIOContext**, const char*, int, AVDictionary**) {
  return AVERROR(EPERM);
}

std::string first_name(std::string_view names) {
  return std::string(names.substr(0, names.find(',')));
}

}  // namespace

Demuxer::Demuxer(const std::filesystem::path& file, std::string kind, const Limits& limits)
    : kind_(std::move(kind)), max_pixels_(limits.max_pixels) {
  fd_ = FileDescriptor(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd_) throw_errno("open " + file.string());
  struct stat facts {};
  if (::fstat(fd_.get(), &facts) != 0) throw_errno("examine " + file.string());
  size_bytes_ = facts.st_size;
  if (size_bytes_ == 0) {
    throw FunctionFailure("decode", fmt::format("the {} is empty: zero bytes", kind_));
  }
  open();
}

Demuxer::~Demuxer() { close(); }

void Demuxer::open() {
  auto* buffer = static_cast<unsigned char*>(av_malloc(kBufferBytes));
  io_ = buffer == nullptr ? nullptr
                          : avio_alloc_context(buffer, kBufferBytes, 0, this, &Demuxer::read_bytes,
                                               nullptr, &Demuxer::seek_bytes);
  context_ = avformat_alloc_context();
  if (io_ == nullptr || context_ == nullptr) {
    if (io_ == nullptr) av_free(buffer);
    close();
    throw std::bad_alloc();
  }
  context_->pb = io_;
  context_->io_open = &refuse_to_open;
  context_->flags |= AVFMT_FLAG_CUSTOM_IO;
  try {
    // Without a name: what a file is, its bytes say. By their extension FFmpeg would take garbage
    // for raw streams.
    // On failure avformat_open_input frees the context itself.
    check_av(avformat_open_input(&context_, nullptr, nullptr, nullptr),
             fmt::format("the bytes are not {} that FFmpeg reads",
                         kind_ == "video" ? "a video" : "audio"));
    const std::string format = first_name(context_->iformat->name);
    if (is_refused(format)) {
      throw FunctionFailure("decode", fmt::format("the bytes are not {}: FFmpeg reads them as {}",
                                                  kind_ == "video" ? "a video" : "audio", format));
    }
    check_av(avformat_find_stream_info(context_, nullptr),
             fmt::format("the {} cannot be read", kind_));
  } catch (...) {
    close();
    throw;
  }
  at_start_ = true;
}

void Demuxer::close() {
  avformat_close_input(&context_);
  if (io_ != nullptr) av_freep(static_cast<void*>(&io_->buffer));
  avio_context_free(&io_);
}

int Demuxer::read_bytes(void* self, std::uint8_t* buffer, int size) {
  const ssize_t count = ::read(static_cast<Demuxer*>(self)->fd_.get(), buffer, size);
  if (count < 0) return AVERROR(errno);
  return count == 0 ? AVERROR_EOF : static_cast<int>(count);
}

std::int64_t Demuxer::seek_bytes(void* self, std::int64_t offset, int whence) {
  auto* demuxer = static_cast<Demuxer*>(self);
  if ((whence & AVSEEK_SIZE) != 0) return demuxer->size_bytes_;
  const off_t position = ::lseek(demuxer->fd_.get(), offset, whence & ~AVSEEK_FORCE);
  return position < 0 ? AVERROR(errno) : position;
}

AVStream* Demuxer::best_stream(AVMediaType type) const {
  AVStream* best = nullptr;
  for (unsigned i = 0; i < context_->nb_streams; ++i) {
    AVStream* stream = context_->streams[i];
    if (stream->codecpar->codec_type != type ||
        (stream->disposition & AV_DISPOSITION_ATTACHED_PIC) != 0) {
      continue;
    }
    const bool is_default = (stream->disposition & AV_DISPOSITION_DEFAULT) != 0;
    const bool best_is_default =
        best != nullptr && (best->disposition & AV_DISPOSITION_DEFAULT) != 0;
    if (best == nullptr || (is_default && !best_is_default)) best = stream;
  }
  return best;
}

CodecPtr Demuxer::open_decoder(const AVStream* stream, int threads) const {
  const AVCodecParameters* parameters = stream->codecpar;
  const AVCodec* codec = avcodec_find_decoder(parameters->codec_id);
  if (codec == nullptr) {
    throw FunctionFailure("unsupported", fmt::format("no decoder for {} streams",
                                                     avcodec_get_name(parameters->codec_id)));
  }
  CodecPtr decoder(avcodec_alloc_context3(codec));
  if (!decoder) throw std::bad_alloc();
  const std::string what = fmt::format("the {} stream cannot be decoded", codec->name);
  check_av(avcodec_parameters_to_context(decoder.get(), parameters), what);
  decoder->pkt_timebase = stream->time_base;
  decoder->thread_count = threads;
  decoder->max_pixels = max_pixels_;
  check_av(avcodec_open2(decoder.get(), codec, nullptr), what);
  return decoder;
}

bool Demuxer::read(const AVStream* stream, AVPacket* packet) {
  at_start_ = false;
  while (true) {
    av_packet_unref(packet);
    // A read error in the middle is treated as the end: what came before it counts.
    if (av_read_frame(context_, packet) < 0) return false;
    if (packet->stream_index == stream->index) return true;
  }
}

bool Demuxer::read_any(AVPacket* packet) {
  at_start_ = false;
  av_packet_unref(packet);
  return av_read_frame(context_, packet) >= 0;
}

bool Demuxer::seek(const AVStream* stream, std::int64_t timestamp) {
  at_start_ = false;
  return avformat_seek_file(context_, stream->index, INT64_MIN, timestamp, timestamp, 0) >= 0;
}

void Demuxer::rewind() {
  if (at_start_) return;
  close();
  if (::lseek(fd_.get(), 0, SEEK_SET) < 0) throw_errno("rewind a media file");
  open();
}

std::string Demuxer::format() const { return first_name(context_->iformat->name); }

std::string Demuxer::extension() const {
  struct Usual {
    std::string_view format;
    const char* video;
    const char* audio;
  };
  constexpr std::array kUsual = {Usual{"mov", "mp4", "m4a"},       Usual{"matroska", "mkv", "mka"},
                                 Usual{"mpegts", "ts", "ts"},      Usual{"mpeg", "mpg", "mpg"},
                                 Usual{"mpegvideo", "mpg", "mpg"}, Usual{"asf", "wmv", "wma"},
                                 Usual{"ogg", "ogv", "ogg"}};
  std::string name = format();
  for (const Usual& usual : kUsual) {
    if (usual.format == name) return kind_ == "audio" ? usual.audio : usual.video;
  }
  return name;
}

double Demuxer::duration_seconds() const {
  return context_->duration == AV_NOPTS_VALUE
             ? 0
             : static_cast<double>(context_->duration) / AV_TIME_BASE;
}

nlohmann::json Demuxer::container_facts() const {
  nlohmann::json facts = {{"container", format()}, {"size_bytes", size_bytes_}};
  if (context_->duration != AV_NOPTS_VALUE) facts["duration"] = duration_seconds();
  if (context_->bit_rate > 0) facts["bit_rate"] = context_->bit_rate;
  if (nlohmann::json tags = tags_of(context_->metadata); !tags.empty()) facts["tags"] = tags;
  return facts;
}

int quarter_turns_of(const AVStream* stream) {
  const std::uint8_t* matrix = av_stream_get_side_data(stream, AV_PKT_DATA_DISPLAYMATRIX, nullptr);
  if (matrix == nullptr) return 0;
  const double counter_clockwise =
      av_display_rotation_get(reinterpret_cast<const std::int32_t*>(matrix));
  if (std::isnan(counter_clockwise)) return 0;
  const long turns = std::lround(-counter_clockwise / 90);
  return static_cast<int>((turns % 4 + 4) % 4);
}

nlohmann::json tags_of(const AVDictionary* dictionary) {
  nlohmann::json tags = nlohmann::json::object();
  const AVDictionaryEntry* entry = nullptr;
  while ((entry = av_dict_get(dictionary, "", entry, AV_DICT_IGNORE_SUFFIX)) != nullptr) {
    if (first_invalid_utf8(entry->key) || first_invalid_utf8(entry->value)) continue;
    tags[lower(entry->key)] = entry->value;
  }
  return tags;
}

}  // namespace coppice::functions
