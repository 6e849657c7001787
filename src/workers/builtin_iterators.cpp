// The built-in iterators: engine functions that turn one value into many rows.
//
// Model    An optional argument has a default that means "not given" (0, '', '[]', false), since a
//          NULL would make the whole call NULL. Where arguments are alternatives exactly one must
//          be given. Media in the rows are in the store before the value is.
// Units    Seconds from the first frame or sample on; pixels; points (1/72 inch).
// Errors   As in builtin_signatures.cpp; "range" also for alternatives that are missing or too many
//          at once, "limit" for more than 500000 rows.
#include <utility>

#include "workers/builtin_tables.h"

namespace coppice {
namespace {

using enum ValueType;

void add(std::vector<Signature>& table, std::string name, std::vector<Parameter> parameters,
         std::vector<IteratorColumn> columns, std::string summary) {
  Signature signature =
      builtin_function(std::move(name), std::move(parameters), kJson, std::move(summary));
  signature.columns = std::move(columns);
  table.push_back(std::move(signature));
}

void add_document_iterators(std::vector<Signature>& table) {
  add(table, "pages", {{"document", kDocument, {}}},
      {{"page", kInteger}, {"text", kText}, {"width", kFloat}, {"height", kFloat}},
      "the pages of a PDF with their text, and their size in points as shown; other documents are "
      "one page without a size");
  const std::vector<IteratorColumn> columns = {
      {"text", kText}, {"title", kText}, {"heading", kText}, {"page", kInteger}, {"box", kJson}};
  for (const Parameter& source : {Parameter{"document", kDocument, {}}, {"text", kText, {}}}) {
    add(table, "chunks",
        {source, {"by", kText, {}}, {"max_size", kInteger, "0"}, {"overlap", kInteger, "0"}},
        columns,
        "pieces of the text by heading, paragraph, sentence, page, tokens or characters, of at "
        "most max_size characters (tokens: words and parts of words, counted by rule), with what "
        "they repeat of the piece before; the box of a PDF's is [left, top, right, bottom] in "
        "points");
  }
}

}  // namespace

void add_iterators(std::vector<Signature>& table) {
  const Parameter video = {"video", kVideo, {}};
  add(table, "frames",
      {video,
       {"fps", kFloat, "0"},
       {"count", kInteger, "0"},
       {"keyframes", kBoolean, "false"},
       {"at", kJson, "'[]'::jsonb"},
       {"stored", kBoolean, "true"}},
      {{"at_seconds", kFloat}, {"frame", kImage}},
      "frames of a video as JPEG: fps of them a second, or count of them evenly spread, or all key "
      "frames, or those shown at the times of a JSON array of seconds (NULL when the video has "
      "ended by then); exactly one of the four. With stored false a frame is kept as its place in "
      "the "
      "video, and decoded again when it is read");
  add(table, "scenes", {video, {"threshold", kFloat, "0.3"}},
      {{"start_seconds", kFloat}, {"end_seconds", kFloat}, {"first_frame", kImage}},
      "the stretches between cuts: a frame begins one when it differs from the frame before it by "
      "more than the threshold, 0 to 1, beyond what motion brings");
  add(table, "video_segments",
      {video,
       {"duration", kFloat, "0"},
       {"at", kJson, "'[]'::jsonb"},
       {"overlap", kFloat, "0"},
       {"mode", kText, "'fast'"}},
      {{"start_seconds", kFloat}, {"end_seconds", kFloat}, {"segment", kVideo}},
      "the video in pieces of duration seconds, or cut at the times of a JSON array of seconds, "
      "each beginning overlap before the end of the last; mode fast copies the streams and cuts at "
      "the next key frame, accurate codes them again (H.264, AAC) and cuts to the frame");
  add(table, "audio_segments",
      {{"audio", kAudio, {}},
       {"duration", kFloat, "0"},
       {"silence", kFloat, "0"},
       {"overlap", kFloat, "0"}},
      {{"start_seconds", kFloat}, {"end_seconds", kFloat}, {"segment", kAudio}},
      "the sound in pieces as FLAC, cut to the sample: of duration seconds, each beginning overlap "
      "before the end of the last; or what lies between silences of at least silence seconds under "
      "-50 dB, with overlap seconds of them at both ends; exactly one of the two");
  add_document_iterators(table);
  add(table, "tiles", {{"image", kImage, {}}, {"size", kInteger, {}}, {"overlap", kInteger, "0"}},
      {{"left", kInteger}, {"top", kInteger}, {"tile", kImage}},
      "squares of size x size pixels, row by row, that cover the image; neighbours share overlap "
      "pixels, the last of a row or column may be smaller");
}

}  // namespace coppice
