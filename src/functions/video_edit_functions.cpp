// The engine functions that make a new video of one, and a few that look into it.
#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "functions/call.h"
#include "functions/failure.h"
#include "functions/frame_image.h"
#include "functions/image_filters.h"
#include "functions/movie_part.h"
#include "functions/muxer.h"
#include "functions/stream_cutter.h"

namespace coppice::functions {
namespace {

std::unique_ptr<ScratchFolder> scratch_of(const Call& call) {
  // Beside the objects: taking the result in is then a link, not a copy.
  return std::make_unique<ScratchFolder>(call.store.folder() / "incoming", "video");
}

// A whole video coded again.
Operand give_part(const Call& call, const PartOptions& options) {
  auto scratch = scratch_of(call);
  const std::filesystem::path file = scratch->path() / "video.mp4";
  PartWriter writer(call.media(0).file(), call.limits);
  if (!writer.write(options, file)) return give_null();
  return std::make_shared<Media>(ValueType::kVideo, std::move(scratch), file, call.limits);
}

Operand clip(const Call& call) {
  const double begin = call.number(1);
  const double end = call.number(2);
  const std::string mode = call.text(3);
  if (!(begin >= 0) || !(end > begin) || end > 1e9) {
    throw FunctionFailure("range", fmt::format("cannot cut from {} to {} seconds: times count from "
                                               "0, and the end comes after the start",
                                               begin, end));
  }
  if (mode == "accurate") {
    PartOptions options;
    options.begin = begin;
    options.end = end;
    return give_part(call, options);
  }
  if (mode != "fast") {
    throw FunctionFailure("range", fmt::format("mode is \"{}\": it is fast or accurate", mode));
  }
  const auto copied = copy_segments(call.media(0).file(), {{begin, end}}, call.store, call.limits);
  if (copied.empty()) return give_null();
  Value value;
  value.type = ValueType::kVideo;
  value.text = copied[0].name;
  return std::make_shared<Media>(value, call.store, call.limits);
}

Operand resize(const Call& call) {
  constexpr std::int64_t kLongestSide = 16384;
  const std::int64_t width = call.integer(1);
  const std::int64_t height = call.integer(2);
  if (width < 0 || height < 0 || width > kLongestSide || height > kLongestSide ||
      width + height < 2) {
    throw FunctionFailure("range",
                          fmt::format("cannot resize to {} x {}: sides are 2 to {}, one of "
                                      "them may be 0 to keep the aspect ratio",
                                      width, height, kLongestSide));
  }
  Video& video = call.video();
  ImageSize target = fit_inside(video.size(), width, height);
  if (quarter_turns_of(video.demuxer().best_stream(AVMEDIA_TYPE_VIDEO)) % 2 != 0) {
    std::swap(target.width, target.height);
  }
  call.limits.check_pixels(target.width, target.height);
  PartOptions options;
  options.size = target;
  return give_part(call, options);
}

struct Rectangle {
  std::int64_t left, top, width, height;
};

// Where a rectangle of the picture as shown lies in the picture as stored, of that size.
Rectangle as_stored(const Rectangle& shown, int quarter_turns, ImageSize stored) {
  switch (quarter_turns) {
    case 1:
      return {shown.top, stored.height - shown.left - shown.width, shown.height, shown.width};
    case 2:
      return {stored.width - shown.left - shown.width, stored.height - shown.top - shown.height,
              shown.width, shown.height};
    case 3:
      return {stored.width - shown.top - shown.height, shown.left, shown.height, shown.width};
    default:
      return shown;
  }
}

Operand crop_video(const Call& call) {
  const Rectangle shown = {call.integer(1), call.integer(2), call.integer(3), call.integer(4)};
  Video& video = call.video();
  const ImageSize size = video.size();
  const bool inside = shown.left >= 0 && shown.top >= 0 && shown.width >= 2 && shown.height >= 2 &&
                      shown.left < size.width && shown.top < size.height &&
                      shown.width <= size.width - shown.left &&
                      shown.height <= size.height - shown.top;
  if (!inside) {
    throw FunctionFailure(
        "range",
        fmt::format("the rectangle {} x {} at ({}, {}) is not within the video of "
                    "{} x {} pixels, or smaller than 2 x 2",
                    shown.width, shown.height, shown.left, shown.top, size.width, size.height));
  }
  const int turns = quarter_turns_of(video.demuxer().best_stream(AVMEDIA_TYPE_VIDEO));
  const ImageSize stored =
      turns % 2 != 0 ? ImageSize{size.height, size.width} : ImageSize{size.width, size.height};
  const Rectangle part = as_stored(shown, turns, stored);
  PartOptions options;
  options.size = ImageSize{static_cast<int>(part.width), static_cast<int>(part.height)};
  options.change = [part, stored](const AVFrame* frame) {
    if (frame->width != stored.width || frame->height != stored.height) {
      throw FunctionFailure("unsupported", "the size of the video changes on its way");
    }
    FramePtr cut(av_frame_clone(frame));
    if (!cut) throw std::bad_alloc();
    cut->crop_left = static_cast<std::size_t>(part.left);
    cut->crop_top = static_cast<std::size_t>(part.top);
    cut->crop_right = static_cast<std::size_t>(stored.width - part.left - part.width);
    cut->crop_bottom = static_cast<std::size_t>(stored.height - part.top - part.height);
    check_av(av_frame_apply_cropping(cut.get(), AV_FRAME_CROP_UNALIGNED), "the frame");
    return cut;
  };
  return give_part(call, options);
}

Operand grayscale(const Call& call) {
  PartOptions options;
  options.grey = true;
  return give_part(call, options);
}

// The pictures copied packet by packet, the sound left out.
Operand mute(const Call& call) {
  Demuxer demuxer(call.media(0).file(), "video", call.limits);
  const AVStream* picture = demuxer.best_stream(AVMEDIA_TYPE_VIDEO);
  if (picture == nullptr) throw FunctionFailure("decode", "the file has no video stream");
  auto scratch = scratch_of(call);
  const Container container = container_for(demuxer);
  const std::filesystem::path file =
      scratch->path() / (std::string("video.") + container.extension);
  Muxer muxer(container.name, file);
  const AVStream* copy = muxer.copy_stream(picture);
  muxer.begin();
  const PacketPtr packet = make_packet();
  while (demuxer.read(picture, packet.get())) {
    if (packet->pts == AV_NOPTS_VALUE) packet->pts = packet->dts;
    muxer.write(packet.get(), copy, picture->time_base);
  }
  muxer.finish();
  return std::make_shared<Media>(ValueType::kVideo, std::move(scratch), file, call.limits);
}

Operand has_audio(const Call& call) {
  call.video();
  return give_boolean(call.audio().has_stream());
}

Operand codec(const Call& call) {
  const AVStream* stream = call.video().demuxer().best_stream(AVMEDIA_TYPE_VIDEO);
  return give_text(avcodec_get_name(stream->codecpar->codec_id));
}

Operand keyframe_count(const Call& call) {
  Demuxer demuxer(call.media(0).file(), "video", call.limits);
  const AVStream* stream = demuxer.best_stream(AVMEDIA_TYPE_VIDEO);
  if (stream == nullptr) throw FunctionFailure("decode", "the file has no video stream");
  const PacketPtr packet = make_packet();
  std::int64_t count = 0;
  while (demuxer.read(stream, packet.get())) {
    if ((packet->flags & AV_PKT_FLAG_KEY) != 0) ++count;
  }
  return give_integer(count);
}

Operand last_frame(const Call& call) {
  FrameReader reader(call.media(0).file(), call.limits);
  // From a little before the end; from the start where that gives nothing.
  const double end = reader.duration_seconds();
  FramePtr last = make_frame();
  FramePtr next = make_frame();
  bool found = false;
  for (const double start : {std::max(0.0, end - 2), 0.0}) {
    reader.seek(reader.timestamp_at(start));
    while (reader.next(next.get())) {
      std::swap(last, next);
      found = true;
    }
    if (found) break;
  }
  if (!found) throw FunctionFailure("decode", "no frame of the video can be decoded");
  return call.give(FrameConverter(call.limits).to_image(last.get(), reader.quarter_turns()));
}

// Frames of the beginnings of equal parts, row by row.
Operand contact_sheet(const Call& call) {
  const std::int64_t columns = call.integer(1);
  const std::int64_t rows = call.integer(2);
  const std::int64_t width = call.integer(3);
  if (columns < 1 || rows < 1 || columns > 100 || rows > 100 || width < 8 || width > 4096) {
    throw FunctionFailure("range", fmt::format("a sheet of {} x {} pictures of {} pixels: columns "
                                               "and rows are 1 to 100, the width 8 to 4096",
                                               columns, rows, width));
  }
  Video& video = call.video();
  const ImageSize tile = fit_inside(video.size(), width, 0);
  call.limits.check_pixels(columns * tile.width, rows * tile.height);
  Image sheet(static_cast<int>(columns) * tile.width, static_cast<int>(rows) * tile.height, 3);
  std::fill_n(sheet.data(), sheet.size_bytes(), std::uint8_t{0});
  const double duration = video.duration();
  for (std::int64_t i = 0; i < columns * rows; ++i) {
    std::optional<Image> frame =
        video.frame_at(static_cast<double>(i) * duration / static_cast<double>(columns * rows));
    if (!frame) continue;
    const Image small = Picture(std::move(*frame), call.limits).resized(tile.width, tile.height);
    sheet = pasted(sheet, small, i % columns * tile.width, i / columns * tile.height, 1);
  }
  return call.give(std::move(sheet));
}

}  // namespace

void add_video_edits(Implementations& all) {
  all["clip(video,float8,float8,text)"] = clip;
  all["resize(video,bigint,bigint)"] = resize;
  all["crop(video,bigint,bigint,bigint,bigint)"] = crop_video;
  all["grayscale(video)"] = grayscale;
  all["mute(video)"] = mute;
  all["has_audio(video)"] = has_audio;
  all["codec(video)"] = codec;
  all["keyframe_count(video)"] = keyframe_count;
  all["last_frame(video)"] = last_frame;
  all["contact_sheet(video,bigint,bigint,bigint)"] = contact_sheet;
}

}  // namespace coppice::functions
