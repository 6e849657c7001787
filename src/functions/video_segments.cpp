// video_segments: the iterator that cuts a video.
#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "functions/call.h"
#include "functions/failure.h"
#include "functions/movie_part.h"
#include "functions/rows.h"
#include "functions/stream_cutter.h"

namespace coppice::functions {
namespace {

constexpr double kShortest = 0.01;  // seconds

std::vector<TimeRange> ranges_of_duration(double length, double duration, double overlap) {
  std::vector<TimeRange> ranges;
  for (std::int64_t i = 0; ranges.empty() || ranges.back().end < length; ++i) {
    const double begin = static_cast<double>(i) * (duration - overlap);
    ranges.push_back({begin, begin + duration});
  }
  return ranges;
}

std::vector<TimeRange> ranges_between(const std::vector<double>& times, double overlap) {
  std::vector<TimeRange> ranges = {{0, 0}};
  for (const double time : times) {
    const double before = ranges.size() == 1 ? 0 : ranges.back().begin + overlap;
    if (!(time > before)) {
      throw FunctionFailure("range",
                            fmt::format("at has {} where a time over {} must follow: times "
                                        "grow, from more than 0 on",
                                        time, before));
    }
    ranges.back().end = time;
    ranges.push_back({std::max(0.0, time - overlap), 0});
  }
  ranges.back().end = 1e9;
  return ranges;
}

Operand give_segments(const Call& call, const std::vector<StoredSegment>& segments) {
  IteratorRows rows(call.limits);
  for (const StoredSegment& segment : segments) {
    rows.add({{"start_seconds", segment.range.begin},
              {"end_seconds", segment.range.end},
              {"segment", segment.name}});
  }
  return rows.give();
}

std::vector<StoredSegment> encode_segments(const Call& call, const std::vector<TimeRange>& ranges) {
  const ScratchFolder scratch(call.store.folder() / "incoming", "segments");
  const std::filesystem::path file = scratch.path() / "segment.mp4";
  PartWriter writer(call.media(0).file(), call.limits);
  std::vector<StoredSegment> segments;
  for (const TimeRange& range : ranges) {
    PartOptions options;
    options.begin = range.begin;
    options.end = range.end;
    if (!writer.write(options, file)) continue;
    segments.push_back(
        {{range.begin, writer.end_seconds()}, call.store.put_file(file, "mp4", true).text()});
    std::filesystem::remove(file);
  }
  if (segments.empty()) {
    throw FunctionFailure("decode",
                          "no frame of the video can be decoded: it is damaged or "
                          "truncated");
  }
  return segments;
}

Operand video_segments(const Call& call) {
  const double duration = call.number(1);
  const std::vector<double> at = call.numbers(2);
  const double overlap = call.number(3);
  const std::string mode = call.text(4);
  check_exactly_one({{"duration", duration != 0}, {"at", !at.empty()}});
  if (mode != "fast" && mode != "accurate") {
    throw FunctionFailure("range", fmt::format("mode is \"{}\": it is fast or accurate", mode));
  }
  if (duration != 0 && (!(duration >= kShortest) || duration > 1e6)) {
    throw FunctionFailure("range", fmt::format("duration is {}: it must be between {} and 1000000 "
                                               "seconds",
                                               duration, kShortest));
  }
  const double most = duration != 0 ? duration - kShortest : 1e6;
  if (!(overlap >= 0) || overlap > most) {
    throw FunctionFailure(
        "range", fmt::format("overlap is {}: it must be between 0 and {} seconds", overlap, most));
  }
  const double length = call.video().duration();
  if (duration != 0) check_row_count(length / (duration - overlap), call.limits);
  const std::vector<TimeRange> ranges =
      duration != 0 ? ranges_of_duration(length, duration, overlap) : ranges_between(at, overlap);
  return give_segments(
      call, mode == "fast" ? copy_segments(call.media(0).file(), ranges, call.store, call.limits)
                           : encode_segments(call, ranges));
}

}  // namespace

void add_video_segments(Implementations& all) {
  all["video_segments(video,float8,jsonb,float8,text)"] = video_segments;
}

}  // namespace coppice::functions
