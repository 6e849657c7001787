// Cutting a sound into stretches, to the sample.
//
// Model    Samples count from the first one decoded. Each stretch becomes a FLAC file of its own
//          that holds the decoded samples as they are (16 bits, or 24 when the source has more).
//          Stretches may overlap.
// Units    Samples of one channel, at the sound's rate. Peaks are of full scale, 0 to 1.
// Errors   FunctionFailure "decode"; "range" when over 64 stretches hold the same sample.
// Threads  Used by one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "base/files.h"
#include "functions/audio.h"
#include "media/store.h"

namespace coppice::functions {

struct SampleRange {
  std::int64_t begin = 0;
  std::int64_t end = 0;
};

struct SoundFacts {
  std::int64_t sample_count = 0;
  int sample_rate = 0;
  std::vector<SampleRange> loud;  // only when asked for: what lies between the silences
};

// Decodes the whole sound. A silence is a run of at least `silence_seconds` in which no sample of
// any channel exceeds `peak`; with 0 seconds nobody asks for them.
SoundFacts examine_sound(Audio& audio, double silence_seconds, double peak);

// The names of the stretches' objects, in the order of `ranges`, which are sorted by their begin.
std::vector<std::string> store_stretches(Audio& audio, const std::vector<SampleRange>& ranges,
                                         MediaStore& store);

// The samples of `frame` from `begin` on, `count` of them, as a frame that shares its memory.
FramePtr slice_of(const AVFrame* frame, std::int64_t begin, std::int64_t count);

}  // namespace coppice::functions
