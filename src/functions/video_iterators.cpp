// frames and scenes: the iterators that give pictures of a video.
#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>
#include <optional>

#include "functions/call.h"
#include "functions/failure.h"
#include "functions/frame_encoder.h"
#include "functions/frame_reader.h"
#include "functions/rows.h"
#include "functions/scene_score.h"

namespace coppice::functions {
namespace {

// A frame that was picked: the row's time, and the number of its object.
struct Pick {
  double at_seconds = 0;
  std::optional<std::size_t> frame;
};

[[noreturn]] void fail_nothing() {
  throw FunctionFailure("decode",
                        "no frame of the video can be decoded: it is damaged or truncated");
}

Operand give_frames(const Call& call, const std::vector<Pick>& picks, FrameEncoder& encoder) {
  const std::vector<std::string> names = encoder.finish();
  IteratorRows rows(call.limits);
  for (const Pick& pick : picks) {
    nlohmann::json frame;
    if (pick.frame) frame = names.at(*pick.frame);
    rows.add({{"at_seconds", pick.at_seconds}, {"frame", std::move(frame)}});
  }
  return rows.give();
}

// What of the frames comes into the rows: stored objects, or names of where in the video they are.
FrameEncoder encoder_for(const Call& call, const FrameReader& reader) {
  constexpr std::size_t kStored = 5;
  std::optional<MediaName> video;
  if (!call.boolean(kStored)) {
    video = MediaName::parse(call.media(0).stored(call.store).text);
  }
  return FrameEncoder(call.store, call.limits, reader.quarter_turns(), std::move(video));
}

// One frame for each tick of a clock: the last one whose time, rounded to a tick, is not after it.
// That is what ffmpeg's filter fps does; its clock begins with the container, not with the stream.
Operand frames_by_rate(const Call& call, double fps) {
  constexpr double kHighest = 1000;
  if (!(fps > 0) || fps > kHighest) {
    throw FunctionFailure(
        "range", fmt::format("fps is {}: it must be over 0 and at most {}", fps, kHighest));
  }
  FrameReader reader(call.media(0).file(), call.limits);
  check_row_count(reader.duration_seconds() * fps, call.limits);
  constexpr int kLargestTerm = 1'001'000;
  const AVRational tick = av_inv_q(av_d2q(fps, kLargestTerm));
  const std::int64_t container_start = reader.demuxer().context()->start_time;
  const std::int64_t start =
      container_start == AV_NOPTS_VALUE
          ? reader.first_timestamp()
          : av_rescale_q(container_start, AV_TIME_BASE_Q, reader.time_base());
  const auto tick_of = [&](std::int64_t timestamp) {
    return av_rescale_q_rnd(timestamp - start, reader.time_base(), tick, AV_ROUND_NEAR_INF);
  };

  FrameEncoder encoder = encoder_for(call, reader);
  std::vector<Pick> picks;
  FramePtr shown = make_frame();
  FramePtr next = make_frame();
  std::int64_t now = 0;  // the tick to fill next
  // Fills the ticks before `end` with the frame that is shown.
  const auto fill_until = [&](std::int64_t end) {
    if (now >= end) return;
    check_row_count(static_cast<double>(picks.size()) + static_cast<double>(end - now),
                    call.limits);
    const std::size_t number = encoder.add(shown.get());
    const double seconds = reader.seconds_at(shown->best_effort_timestamp);
    for (; now < end; ++now) picks.push_back({seconds, number});
  };
  if (!reader.next(shown.get())) fail_nothing();
  now = tick_of(shown->best_effort_timestamp);
  std::int64_t end = shown->best_effort_timestamp + reader.frame_ticks(shown.get());
  while (reader.next(next.get())) {
    fill_until(tick_of(next->best_effort_timestamp));
    std::swap(shown, next);
    end = shown->best_effort_timestamp + reader.frame_ticks(shown.get());
  }
  fill_until(tick_of(end));
  return give_frames(call, picks, encoder);
}

// Whether the key frames alone tell when they are shown. Some containers give only the time of
// decoding, which is another one where frames are shown in another order.
bool key_frames_have_times(const Call& call) {
  Demuxer demuxer(call.media(0).file(), "video", call.limits);
  const AVStream* stream = demuxer.best_stream(AVMEDIA_TYPE_VIDEO);
  if (stream == nullptr || stream->codecpar->video_delay == 0) return true;
  const PacketPtr packet = make_packet();
  while (demuxer.read(stream, packet.get())) {
    if ((packet->flags & AV_PKT_FLAG_KEY) != 0 && packet->pts == AV_NOPTS_VALUE) return false;
  }
  return true;
}

Operand frames_that_are_keys(const Call& call) {
  using Wanted = FrameReader::Wanted;
  const bool alone = key_frames_have_times(call);
  FrameReader reader(call.media(0).file(), call.limits, alone ? Wanted::kKeyFrames : Wanted::kAll);
  FrameEncoder encoder = encoder_for(call, reader);
  std::vector<Pick> picks;
  const FramePtr frame = make_frame();
  while (reader.next(frame.get())) {
    if (!alone && frame->key_frame == 0) continue;
    picks.push_back({reader.seconds_at(frame->best_effort_timestamp), encoder.add(frame.get())});
  }
  if (picks.empty()) fail_nothing();
  return give_frames(call, picks, encoder);
}

// Shows a video from time to time: decodes on where the next time is near, jumps where it is far.
class Player {
 public:
  explicit Player(FrameReader& reader) : reader_(reader) {}

  // The frame shown at `timestamp`, which must not be before that of the last call; null when the
  // video has ended by then.
  const AVFrame* frame_at(std::int64_t timestamp) {
    if (!begun_ || (has_next_ && timestamp - next_->best_effort_timestamp > far())) {
      jump(timestamp);
    }
    advance(timestamp);
    if (!has_next_ && timestamp >= end_) return nullptr;
    return shown_.get();
  }

 private:
  static constexpr double kFarSeconds = 10;
  std::int64_t far() const {
    return static_cast<std::int64_t>(kFarSeconds / av_q2d(reader_.time_base()));
  }

  // Some containers seek by decoding time or without an index and land too late: try earlier.
  void jump(std::int64_t timestamp) {
    const std::int64_t first = reader_.first_timestamp();
    const std::int64_t last = reader_.timestamp_at(reader_.duration_seconds());
    const std::int64_t wanted = std::min(timestamp, std::max(first, last));
    const bool near_start = wanted - first <= far();
    for (const std::int64_t start : {wanted, wanted - far() / 5, wanted - far(), first}) {
      if (near_start && start > first) continue;
      reader_.seek(start);
      begun_ = true;
      has_next_ = false;
      if (!read()) continue;
      std::swap(shown_, next_);
      const bool early = shown_->best_effort_timestamp <= timestamp;
      has_next_ = read();
      if (early || start <= first) return;
    }
    if (end_ == INT64_MIN) fail_nothing();
  }

  void advance(std::int64_t timestamp) {
    while (has_next_ && next_->best_effort_timestamp <= timestamp) {
      std::swap(shown_, next_);
      has_next_ = read();
    }
  }

  bool read() {
    if (!reader_.next(next_.get())) return false;
    end_ = std::max(end_, next_->best_effort_timestamp + reader_.frame_ticks(next_.get()));
    return true;
  }

  FrameReader& reader_;
  FramePtr shown_ = make_frame();
  FramePtr next_ = make_frame();
  bool begun_ = false;
  bool has_next_ = false;
  std::int64_t end_ = INT64_MIN;
};

// The rows have the order of `times`; the video is gone through in that of time.
Operand frames_at_times(const Call& call, const std::vector<double>& times, FrameReader& reader) {
  check_row_count(static_cast<double>(times.size()), call.limits);
  std::vector<std::size_t> order(times.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return times[a] < times[b]; });
  FrameEncoder encoder = encoder_for(call, reader);
  Player player(reader);
  std::vector<Pick> picks(times.size());
  std::int64_t last = 0;
  std::optional<std::size_t> last_number;
  for (const std::size_t index : order) {
    picks[index].at_seconds = times[index];
    const AVFrame* frame = player.frame_at(reader.timestamp_at(times[index]));
    if (frame == nullptr) continue;
    if (!last_number || frame->best_effort_timestamp != last) last_number = encoder.add(frame);
    last = frame->best_effort_timestamp;
    picks[index].frame = last_number;
  }
  return give_frames(call, picks, encoder);
}

Operand frames_by_count(const Call& call, std::int64_t count) {
  if (count < 1)
    throw FunctionFailure("range", fmt::format("count is {}: it must be 1 or more", count));
  check_row_count(static_cast<double>(count), call.limits);
  FrameReader reader(call.media(0).file(), call.limits);
  const double duration = call.video().duration();
  std::vector<double> times;
  for (std::int64_t i = 0; i < count; ++i) {
    times.push_back(static_cast<double>(i) * duration / static_cast<double>(count));
  }
  return frames_at_times(call, times, reader);
}

Operand frames_at(const Call& call, const std::vector<double>& times) {
  for (const double time : times) {
    if (time < 0) {
      throw FunctionFailure("range", fmt::format("there is no frame at {} seconds: times count "
                                                 "from 0",
                                                 time));
    }
  }
  FrameReader reader(call.media(0).file(), call.limits);
  return frames_at_times(call, times, reader);
}

Operand frames(const Call& call) {
  const double fps = call.number(1);
  const std::int64_t count = call.integer(2);
  const bool keyframes = call.boolean(3);
  const std::vector<double> at = call.numbers(4);
  check_exactly_one(
      {{"fps", fps != 0}, {"count", count != 0}, {"keyframes", keyframes}, {"at", !at.empty()}});
  if (fps != 0) return frames_by_rate(call, fps);
  if (count != 0) return frames_by_count(call, count);
  return keyframes ? frames_that_are_keys(call) : frames_at(call, at);
}

Operand scenes(const Call& call) {
  const double threshold = call.number(1);
  if (!(threshold > 0 && threshold < 1)) {
    throw FunctionFailure("range",
                          fmt::format("threshold is {}: it must lie between 0 and 1", threshold));
  }
  FrameReader reader(call.media(0).file(), call.limits);
  FrameEncoder encoder(call.store, call.limits, reader.quarter_turns());
  SceneScore score;
  std::vector<double> starts;
  std::int64_t end = 0;
  const FramePtr frame = make_frame();
  while (reader.next(frame.get())) {
    const double change = score.add(frame.get());
    if (starts.empty() || change > threshold) {
      starts.push_back(reader.seconds_at(frame->best_effort_timestamp));
      encoder.add(frame.get());
    }
    end = frame->best_effort_timestamp + reader.frame_ticks(frame.get());
  }
  if (starts.empty()) fail_nothing();
  const std::vector<std::string> names = encoder.finish();
  starts.push_back(reader.seconds_at(end));
  IteratorRows rows(call.limits);
  for (std::size_t i = 0; i < names.size(); ++i) {
    rows.add(
        {{"start_seconds", starts[i]}, {"end_seconds", starts[i + 1]}, {"first_frame", names[i]}});
  }
  return rows.give();
}

}  // namespace

void add_video_iterators(Implementations& all) {
  all["frames(video,float8,bigint,boolean,jsonb,boolean)"] = frames;
  all["scenes(video,float8)"] = scenes;
}

}  // namespace coppice::functions
