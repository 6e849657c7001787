// The built-in functions that make new videos and sounds of old ones, or look into them.
//
// Units    Seconds from the first frame or sample on; pixels as shown; hertz; decibels of full
//          scale. Made videos are MP4 (H.264, AAC), made sounds FLAC unless said otherwise.
// Errors   As in builtin_signatures.cpp.
#include "workers/builtin_tables.h"

namespace coppice {
namespace {

using enum ValueType;

void add_video_edits(std::vector<Signature>& table) {
  const Parameter video = {"video", kVideo, {}};
  const Parameter width = {"width", kInteger, {}};
  const Parameter begin = {"start", kFloat, {}};
  const Parameter end = {"stop", kFloat, {}};
  table.push_back(builtin_function(
      "clip", {video, begin, end, {"mode", kText, "'accurate'"}}, kVideo,
      "the part from start to stop; mode accurate codes it again and cuts to the frame, fast "
      "copies the streams and cuts at the next key frame; NULL when nothing lies between"));
  table.push_back(builtin_function("resize", {video, width, {"height", kInteger, "0"}}, kVideo,
                                   "scaled to fit a box of width x height pixels, aspect ratio "
                                   "kept, to even sides; 0 leaves that side free"));
  table.push_back(builtin_function(
      "crop",
      {video, {"left", kInteger, {}}, {"top", kInteger, {}}, width, {"height", kInteger, {}}},
      kVideo,
      "the rectangle with that upper left corner; odd sides lose a "
      "row or column"));
  table.push_back(builtin_function("grayscale", {video}, kVideo, "luminance only"));
  table.push_back(builtin_function("mute", {video}, kVideo,
                                   "without its sound; the pictures are copied as they are"));
  table.push_back(builtin_function("has_audio", {video}, kBoolean, "whether it has a sound track"));
  table.push_back(
      builtin_function("codec", {video}, kText, "the codec of the pictures: h264, vp9, …"));
  table.push_back(builtin_function("keyframe_count", {video}, kInteger,
                                   "how many frames can be shown without those before them"));
  table.push_back(
      builtin_function("last_frame", {video}, kImage, "the last frame, [height, width, 3]"));
  table.push_back(builtin_function(
      "contact_sheet",
      {video, {"columns", kInteger, "4"}, {"rows", kInteger, "4"}, {"width", kInteger, "320"}},
      kImage,
      "columns x rows frames, evenly spread and row by row, each of "
      "that width"));
}

void add_audio_edits(std::vector<Signature>& table) {
  const Parameter audio = {"audio", kAudio, {}};
  table.push_back(builtin_function("encode", {audio, {"format", kText, {}}}, kAudio,
                                   "the sound as flac, wav, mp3 or opus"));
  table.push_back(builtin_function("clip", {audio, {"start", kFloat, {}}, {"stop", kFloat, {}}},
                                   kAudio,
                                   "the samples from start to stop; NULL when there are none"));
  table.push_back(builtin_function(
      "resample", {audio, {"rate", kInteger, {}}, {"channels", kInteger, "0"}}, kAudio,
      "at that many samples a second, of 16 bits, mixed to that many channels; 0 keeps them"));
  table.push_back(builtin_function(
      "silence_share", {audio, {"shortest", kFloat, "0.5"}, {"level", kFloat, "-50"}}, kFloat,
      "0 to 1: what part of the sound are silences of at least shortest seconds under level "
      "decibels"));
  table.push_back(builtin_function(
      "waveform",
      {audio, {"width", kInteger, "800"}, {"height", kInteger, "200"}, {"color", kText, "'black'"}},
      kImage, "the lowest and highest samples over time, on white"));
}

}  // namespace

void add_edits(std::vector<Signature>& table) {
  add_video_edits(table);
  add_audio_edits(table);
}

}  // namespace coppice
