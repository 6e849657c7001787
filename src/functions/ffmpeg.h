// FFmpeg: owners for its objects and words for its errors. For the sources of this component only.
#pragma once

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/channel_layout.h>
#include <libavutil/display.h>
#include <libavutil/opt.h>
#include <libavutil/pixdesc.h>
#include <libswresample/swresample.h>
#include <libswscale/swscale.h>
}

#include <memory>
#include <string>

namespace coppice::functions {

struct FreeAv {
  void operator()(AVFrame* frame) const { av_frame_free(&frame); }
  void operator()(AVPacket* packet) const { av_packet_free(&packet); }
  void operator()(AVCodecContext* codec) const { avcodec_free_context(&codec); }
  void operator()(SwsContext* scaler) const { sws_freeContext(scaler); }
  void operator()(SwrContext* resampler) const { swr_free(&resampler); }
};
using FramePtr = std::unique_ptr<AVFrame, FreeAv>;
using PacketPtr = std::unique_ptr<AVPacket, FreeAv>;
using CodecPtr = std::unique_ptr<AVCodecContext, FreeAv>;
using ScalerPtr = std::unique_ptr<SwsContext, FreeAv>;
using ResamplerPtr = std::unique_ptr<SwrContext, FreeAv>;

// Keeps FFmpeg from printing: failures carry its reasons.
void start_ffmpeg();

FramePtr make_frame();
PacketPtr make_packet();

// "Invalid data found when processing input".
std::string av_reason(int code);

// Throws FunctionFailure "decode" "<what>: <reason>" for a negative code.
void check_av(int code, const std::string& what);

}  // namespace coppice::functions
