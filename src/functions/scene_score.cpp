#include "functions/scene_score.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <new>

#include "functions/failure.h"

namespace coppice::functions {
namespace {

bool has_byte_luma(const AVFrame* frame) {
  const AVPixFmtDescriptor* format = av_pix_fmt_desc_get(static_cast<AVPixelFormat>(frame->format));
  if (format == nullptr) return false;
  constexpr std::uint64_t kOther = AV_PIX_FMT_FLAG_RGB | AV_PIX_FMT_FLAG_PAL |
                                   AV_PIX_FMT_FLAG_BITSTREAM | AV_PIX_FMT_FLAG_HWACCEL;
  return (format->flags & kOther) == 0 && format->comp[0].depth == 8 && format->comp[0].step == 1;
}

std::uint64_t difference_of_row(const std::uint8_t* one, const std::uint8_t* other, int width) {
  std::uint32_t sum = 0;
  for (int x = 0; x < width; ++x) sum += static_cast<std::uint32_t>(std::abs(one[x] - other[x]));
  return sum;
}

}  // namespace

FramePtr SceneScore::to_grey(const AVFrame* frame) {
  if (has_byte_luma(frame)) {
    FramePtr same(av_frame_clone(frame));
    if (!same) throw std::bad_alloc();
    return same;
  }
  scaler_.reset(sws_getCachedContext(scaler_.release(), frame->width, frame->height,
                                     static_cast<AVPixelFormat>(frame->format), frame->width,
                                     frame->height, AV_PIX_FMT_GRAY8, SWS_POINT | SWS_BITEXACT,
                                     nullptr, nullptr, nullptr));
  if (!scaler_) {
    throw FunctionFailure("unsupported", "frames of this pixel format cannot be made grey");
  }
  FramePtr grey = make_frame();
  grey->format = AV_PIX_FMT_GRAY8;
  grey->width = frame->width;
  grey->height = frame->height;
  check_av(av_frame_get_buffer(grey.get(), 0), "a grey frame");
  check_av(sws_scale(scaler_.get(), frame->data, frame->linesize, 0, frame->height, grey->data,
                     grey->linesize),
           "the frame cannot be made grey");
  return grey;
}

double SceneScore::add(const AVFrame* frame) {
  FramePtr current = to_grey(frame);
  const FramePtr previous = std::move(previous_);
  previous_ = std::move(current);
  if (!previous || previous->width != previous_->width || previous->height != previous_->height) {
    return 0;
  }
  std::uint64_t sum = 0;
  for (int y = 0; y < previous->height; ++y) {
    const auto row = [y](const FramePtr& picture) {
      return picture->data[0] + static_cast<std::ptrdiff_t>(picture->linesize[0]) * y;
    };
    sum += difference_of_row(row(previous), row(previous_), previous->width);
  }
  const double pixels = static_cast<double>(previous->width) * previous->height;
  const double difference = static_cast<double>(sum) / pixels;
  const double change = std::abs(difference - previous_difference_);
  previous_difference_ = difference;
  return std::clamp(std::min(difference, change), 0.0, 100.0) / 100;
}

}  // namespace coppice::functions
