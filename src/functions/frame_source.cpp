#include "functions/frame_source.h"

#include <fmt/core.h>

#include "functions/failure.h"
#include "functions/frame_encoder.h"
#include "functions/media.h"

namespace coppice::functions {
namespace {

// Decoding on is cheaper than a jump, which begins at a key frame.
constexpr double kNearSeconds = 10;

}  // namespace

FrameSource::FrameSource(const MediaStore& store, const Limits& limits)
    : store_(store), limits_(limits), converter_(limits) {}

EncodedImage FrameSource::read(const FrameName& name) {
  try {
    if (!video_ || video_->text() != name.video.text()) open(name.video);
    if (show(name.timestamp)) {
      return {converter_.to_jpeg(frame_.get(), reader_->quarter_turns(), kFrameQuality), "jpg"};
    }
  } catch (...) {
    video_.reset();  // what failed half-way is begun anew
    throw;
  }
  throw FunctionFailure(
      "missing", fmt::format("{} has no frame at tick {}", name.video.text(), name.timestamp));
}

void FrameSource::open(const MediaName& video) {
  video_.reset();
  has_frame_ = false;
  reader_ = std::make_unique<FrameReader>(find_object(video, store_), limits_);
  video_ = video;
}

bool FrameSource::show(std::int64_t timestamp) {
  const auto near = static_cast<std::int64_t>(kNearSeconds / av_q2d(reader_->time_base()));
  const std::int64_t shown = has_frame_ ? frame_->best_effort_timestamp : 0;
  if (has_frame_ && shown == timestamp) return true;
  const bool ahead = has_frame_ && shown < timestamp && timestamp - shown <= near;
  if (ahead && decode_until(timestamp)) return true;
  has_frame_ = reader_->find(timestamp, frame_.get());
  if (has_frame_ && frame_->best_effort_timestamp == timestamp) return true;
  reader_->seek(reader_->first_timestamp());
  return decode_until(timestamp);
}

bool FrameSource::decode_until(std::int64_t timestamp) {
  do {
    has_frame_ = reader_->next(frame_.get());
  } while (has_frame_ && frame_->best_effort_timestamp < timestamp);
  return has_frame_ && frame_->best_effort_timestamp == timestamp;
}

}  // namespace coppice::functions
