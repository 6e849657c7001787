#include "functions/ffmpeg.h"

#include <array>
#include <new>

#include "functions/failure.h"

namespace coppice::functions {

void start_ffmpeg() { av_log_set_level(AV_LOG_QUIET); }

FramePtr make_frame() {
  FramePtr frame(av_frame_alloc());
  if (!frame) throw std::bad_alloc();
  return frame;
}

PacketPtr make_packet() {
  PacketPtr packet(av_packet_alloc());
  if (!packet) throw std::bad_alloc();
  return packet;
}

std::string av_reason(int code) {
  std::array<char, AV_ERROR_MAX_STRING_SIZE> text{};
  av_strerror(code, text.data(), text.size());
  return text.data();
}

void check_av(int code, const std::string& what) {
  if (code < 0) throw FunctionFailure("decode", what + ": " + av_reason(code));
}

}  // namespace coppice::functions
