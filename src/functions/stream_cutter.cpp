#include "functions/stream_cutter.h"

#include <algorithm>
#include <cmath>
#include <list>
#include <optional>

#include "base/files.h"
#include "functions/demuxer.h"
#include "functions/failure.h"
#include "functions/muxer.h"

namespace coppice::functions {
namespace {

constexpr std::size_t kMostOpen = 64;

std::int64_t time_of(const AVPacket& packet) {
  return packet.pts != AV_NOPTS_VALUE ? packet.pts : packet.dts;
}

// Where a video may be cut: the times of its key frames, and its end.
struct KeyFrames {
  std::vector<std::int64_t> timestamps;
  std::int64_t end = 0;

  // The first key frame from a time on; past the last one it is the end.
  std::size_t index_at(std::int64_t timestamp) const {
    return static_cast<std::size_t>(
        std::lower_bound(timestamps.begin(), timestamps.end(), timestamp) - timestamps.begin());
  }
  std::int64_t at(std::size_t index) const {
    return index < timestamps.size() ? timestamps[index] : end;
  }
};

KeyFrames read_key_frames(Demuxer& demuxer, const AVStream* stream) {
  KeyFrames keys;
  const PacketPtr packet = make_packet();
  while (demuxer.read(stream, packet.get())) {
    const std::int64_t time = time_of(*packet);
    if (time == AV_NOPTS_VALUE) continue;
    keys.end = std::max(keys.end, time + std::max<std::int64_t>(packet->duration, 1));
    if ((packet->flags & AV_PKT_FLAG_KEY) == 0) continue;
    // Key frames come in the order they are shown; one that does not is damage.
    if (keys.timestamps.empty() || time > keys.timestamps.back()) keys.timestamps.push_back(time);
  }
  if (keys.timestamps.empty()) {
    throw FunctionFailure("decode", "the video has no key frame: it is damaged or truncated");
  }
  return keys;
}

struct Plan {
  std::size_t first_key = 0;
  std::size_t end_key = 0;
  std::int64_t begin = 0;
  std::int64_t end = 0;
};

// One segment that is being written.
class Segment {
 public:
  Segment(const Container& container, const std::filesystem::path& file, const AVStream* picture,
          const AVStream* sound, const Plan& plan)
      : muxer_(container.name, file), plan_(plan), picture_(muxer_.copy_stream(picture)) {
    if (sound != nullptr) sound_ = muxer_.copy_stream(sound);
    muxer_.begin();
  }

  const Plan& plan() const { return plan_; }

  void add_picture(const AVPacket& packet, AVRational time_base) {
    write(packet, picture_, time_base, plan_.begin);
  }
  void add_sound(const AVPacket& packet, AVRational time_base, AVRational picture_base) {
    if (sound_ == nullptr) return;
    write(packet, sound_, time_base, av_rescale_q(plan_.begin, picture_base, time_base));
  }
  void finish() { muxer_.finish(); }

 private:
  void write(const AVPacket& packet, const AVStream* stream, AVRational time_base,
             std::int64_t offset) {
    const PacketPtr copy(av_packet_clone(&packet));
    if (!copy) throw std::bad_alloc();
    if (copy->pts == AV_NOPTS_VALUE) copy->pts = copy->dts;
    if (copy->pts != AV_NOPTS_VALUE) copy->pts -= offset;
    if (copy->dts != AV_NOPTS_VALUE) copy->dts -= offset;
    muxer_.write(copy.get(), stream, time_base);
  }

  Muxer muxer_;
  Plan plan_;
  AVStream* picture_;
  AVStream* sound_ = nullptr;
};

class Cutter {
 public:
  Cutter(const std::filesystem::path& file, const Limits& limits, MediaStore& store)
      : demuxer_(file, "video", limits),
        store_(store),
        scratch_(store.folder() / "incoming", "segments") {
    choose_streams();
    keys_ = read_key_frames(demuxer_, picture_);
    demuxer_.rewind();
    choose_streams();
  }

  std::vector<StoredSegment> cut(const std::vector<TimeRange>& wanted) {
    make_plans(wanted);
    const PacketPtr packet = make_packet();
    while (demuxer_.read_any(packet.get())) {
      if (packet->stream_index == picture_->index) add_picture(*packet);
      if (sound_ != nullptr && packet->stream_index == sound_->index) add_sound(*packet);
    }
    while (!open_.empty()) close(open_.begin());
    return std::move(segments_);
  }

 private:
  void choose_streams() {
    picture_ = demuxer_.best_stream(AVMEDIA_TYPE_VIDEO);
    sound_ = demuxer_.best_stream(AVMEDIA_TYPE_AUDIO);
    if (picture_ == nullptr) throw FunctionFailure("decode", "the file has no video stream");
  }

  std::int64_t first() const {
    return picture_->start_time == AV_NOPTS_VALUE ? 0 : picture_->start_time;
  }
  double seconds(std::int64_t timestamp) const {
    return static_cast<double>(timestamp - first()) * av_q2d(picture_->time_base);
  }
  std::int64_t timestamp(double at_seconds) const {
    const double ticks = std::min(at_seconds / av_q2d(picture_->time_base), 4e18);
    return first() + static_cast<std::int64_t>(std::ceil(ticks - 1e-3));
  }

  void make_plans(const std::vector<TimeRange>& wanted) {
    for (const TimeRange& range : wanted) {
      Plan plan;
      plan.first_key = range.begin <= 0 ? 0 : keys_.index_at(timestamp(range.begin));
      plan.end_key = keys_.index_at(timestamp(range.end));
      if (plan.first_key >= plan.end_key) continue;
      plan.begin = keys_.at(plan.first_key);
      plan.end = keys_.at(plan.end_key);
      plans_.push_back(plan);
      segments_.push_back({{seconds(plan.begin), seconds(plan.end)}, {}});
    }
  }

  void add_picture(const AVPacket& packet) {
    const bool key = (packet.flags & AV_PKT_FLAG_KEY) != 0;
    if (key && next_key_ < keys_.timestamps.size() &&
        time_of(packet) >= keys_.timestamps[next_key_]) {
      begin_at(next_key_++);
    }
    for (auto& [index, segment] : open_) {
      // A picture behind a key frame in the file belongs to it, even one shown before it.
      const bool inside =
          next_key_ > segment.plan().first_key && next_key_ <= segment.plan().end_key;
      if (inside) segment.add_picture(packet, picture_->time_base);
    }
  }

  void begin_at(std::size_t key) {
    while (next_plan_ < plans_.size() && plans_[next_plan_].first_key <= key) open_next();
    // The sound of a segment may come later in the file than its pictures: one more key frame.
    for (auto it = open_.begin(); it != open_.end();) {
      const auto here = it++;
      if (here->second.plan().end_key + 1 < key) close(here);
    }
  }

  void open_next() {
    open_.emplace_back(std::piecewise_construct, std::forward_as_tuple(next_plan_),
                       std::forward_as_tuple(container_for(demuxer_), file_of(next_plan_), picture_,
                                             sound_, plans_[next_plan_]));
    ++next_plan_;
    if (open_.size() > kMostOpen) {
      throw FunctionFailure("range", "over 64 segments would hold the same moment: overlap less");
    }
  }

  void add_sound(const AVPacket& packet) {
    const std::int64_t time = time_of(packet);
    if (time == AV_NOPTS_VALUE) return;
    // Sound may come earlier in the file than the key frame that it belongs to.
    while (next_plan_ < plans_.size() &&
           av_compare_ts(time, sound_->time_base, plans_[next_plan_].begin, picture_->time_base) >=
               0) {
      open_next();
    }
    for (auto& [index, segment] : open_) {
      const Plan& plan = segment.plan();
      const bool inside =
          av_compare_ts(time, sound_->time_base, plan.begin, picture_->time_base) >= 0 &&
          (av_compare_ts(time, sound_->time_base, plan.end, picture_->time_base) < 0 ||
           plan.end_key == keys_.timestamps.size());
      if (inside) segment.add_sound(packet, sound_->time_base, picture_->time_base);
    }
  }

  using Open = std::list<std::pair<std::size_t, Segment>>;

  void close(Open::iterator it) {
    it->second.finish();
    const std::filesystem::path file = file_of(it->first);
    segments_[it->first].name =
        store_.put_file(file, container_for(demuxer_).extension, true).text();
    std::filesystem::remove(file);
    open_.erase(it);
  }

  std::filesystem::path file_of(std::size_t index) const {
    return scratch_.path() / std::to_string(index);
  }

  Demuxer demuxer_;
  MediaStore& store_;
  ScratchFolder scratch_;
  AVStream* picture_ = nullptr;
  AVStream* sound_ = nullptr;
  KeyFrames keys_;
  std::vector<Plan> plans_;
  std::vector<StoredSegment> segments_;
  Open open_;
  std::size_t next_plan_ = 0;
  std::size_t next_key_ = 0;  // how many key frames have gone by
};

}  // namespace

Container container_for(const Demuxer& demuxer) {
  const std::string format = demuxer.format();
  if (format == "mov") return {"mp4", "mp4"};
  if (format == "mpegts") return {"mpegts", "ts"};
  if (format == "avi") return {"avi", "avi"};
  return {"matroska", "mkv"};
}

std::vector<StoredSegment> copy_segments(const std::filesystem::path& file,
                                         const std::vector<TimeRange>& wanted, MediaStore& store,
                                         const Limits& limits) {
  return Cutter(file, limits, store).cut(wanted);
}

}  // namespace coppice::functions
