// Cutting a video at its key frames, without coding it again.
//
// Model    The picture and the sound that a player would choose are copied packet by packet. A cut
//          at a wanted time falls on the first key frame not before it, as ffmpeg's segment muxer
//          cuts: so no segment begins with a picture that cannot be shown. The container is the
//          source's where that can be written (MP4, Matroska, MPEG-TS, AVI), else Matroska.
// Units    Seconds from the first frame on.
// Errors   FunctionFailure "decode", "unsupported", "range" for over 64 segments at one moment.
// Threads  Free functions; each call uses its own file.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "functions/demuxer.h"
#include "functions/limits.h"
#include "media/store.h"

namespace coppice::functions {

struct TimeRange {
  double begin = 0;
  double end = 0;
};

struct StoredSegment {
  TimeRange range;
  std::string name;
};

struct Container {
  const char* name;  // FFmpeg's
  const char* extension;
};
// What a copy of the streams of a file is written as.
Container container_for(const Demuxer& demuxer);

// `wanted` is sorted by its begins. Ranges that hold no key frame of their own are left out.
std::vector<StoredSegment> copy_segments(const std::filesystem::path& file,
                                         const std::vector<TimeRange>& wanted, MediaStore& store,
                                         const Limits& limits);

}  // namespace coppice::functions
