#include "functions/frame_image.h"

#include <array>
#include <optional>

#include "functions/failure.h"
#include "functions/jpeg.h"
#include "functions/yuv_planes.h"

namespace coppice::functions {
namespace {

// nullopt for a matrix that needs more than luma weights.
std::optional<LumaWeights> weights_of(AVColorSpace space) {
  switch (space) {
    case AVCOL_SPC_UNSPECIFIED:  // what FFmpeg takes it for, too
    case AVCOL_SPC_BT470BG:
    case AVCOL_SPC_SMPTE170M:
      return kBt601;
    case AVCOL_SPC_BT709:
      return kBt709;
    case AVCOL_SPC_BT2020_NCL:
      return kBt2020;
    default:
      return std::nullopt;
  }
}

bool is_full_range(const AVFrame* frame) {
  return frame->color_range == AVCOL_RANGE_JPEG || frame->format == AV_PIX_FMT_YUVJ420P;
}

bool goes_by_planes(const AVFrame* frame, int quarter_turns) {
  return quarter_turns == 0 &&
         (frame->format == AV_PIX_FMT_YUV420P || frame->format == AV_PIX_FMT_YUVJ420P) &&
         frame->width % 2 == 0 && frame->height % 2 == 0 && frame->linesize[0] > 0 &&
         weights_of(frame->colorspace).has_value();
}

}  // namespace

Image FrameConverter::to_image(const AVFrame* frame, int quarter_turns) {
  limits_.check_pixels(frame->width, frame->height);
  scaler_.reset(sws_getCachedContext(
      scaler_.release(), frame->width, frame->height, static_cast<AVPixelFormat>(frame->format),
      frame->width, frame->height, AV_PIX_FMT_RGB24,
      SWS_BICUBIC | SWS_FULL_CHR_H_INT | SWS_ACCURATE_RND | SWS_BITEXACT, nullptr, nullptr,
      nullptr));
  if (!scaler_) {
    throw FunctionFailure("unsupported", "frames of this pixel format cannot be converted to RGB");
  }
  sws_setColorspaceDetails(scaler_.get(), sws_getCoefficients(frame->colorspace),
                           frame->color_range == AVCOL_RANGE_JPEG ? 1 : 0,
                           sws_getCoefficients(SWS_CS_DEFAULT), 1, 0, 1 << 16, 1 << 16);
  Image image(frame->width, frame->height, 3);
  const std::array<std::uint8_t*, 4> planes = {image.data(), nullptr, nullptr, nullptr};
  const std::array<int, 4> strides = {static_cast<int>(image.row_bytes()), 0, 0, 0};
  check_av(sws_scale(scaler_.get(), frame->data, frame->linesize, 0, frame->height, planes.data(),
                     strides.data()),
           "the frame cannot be converted to RGB");
  constexpr std::array<int, 4> kOrientations = {1, 6, 3, 8};
  return apply_orientation(std::move(image), kOrientations[quarter_turns]);
}

std::string FrameConverter::to_jpeg(const AVFrame* frame, int quarter_turns, int quality) {
  if (!goes_by_planes(frame, quarter_turns)) {
    return encode_jpeg(to_image(frame, quarter_turns), quality);
  }
  limits_.check_pixels(frame->width, frame->height);
  YuvPlanes planes{{frame->data[0], frame->data[1], frame->data[2]},
                   {frame->linesize[0], frame->linesize[1], frame->linesize[2]},
                   frame->width,
                   frame->height};
  const LumaWeights weights = *weights_of(frame->colorspace);
  const bool full_range = is_full_range(frame);
  if (!full_range || weights != kBt601) {
    const std::size_t luma_bytes = static_cast<std::size_t>(frame->width) * frame->height;
    planes_.resize(luma_bytes * 3 / 2);
    convert_to_jfif(planes, weights, full_range, planes_.data());
    planes.data = {planes_.data(), planes_.data() + luma_bytes,
                   planes_.data() + luma_bytes + luma_bytes / 4};
    planes.strides = {frame->width, frame->width / 2, frame->width / 2};
  }
  return encode_jpeg(planes, quality);
}

}  // namespace coppice::functions
