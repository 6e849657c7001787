// The engine functions that Coppice brings along: one entry an overload, grouped by media kind.
//
// Model    The component `functions` implements every id of this table, and nothing else but
//          "probe(image)", "probe(video)", "probe(audio)" and "probe(document)", which have no
//          entry because only the engine calls them, when media come in, and "store(image)", which
//          gives the object that a frame of a video becomes.
// Units    Pixels, seconds, hertz, bytes. Decoded images are [height, width, bands] uint8 in sRGB
//          or grey, after the orientation of their EXIF data is applied.
// Errors   A NULL argument gives NULL. What cannot be computed is a CellFailure: "decode" (the
//          bytes are damaged or of another kind), "range" (an argument out of range), "limit" (too
//          many pixels), "missing" (not in the store), "timeout", "unsupported".
#include "workers/builtin_tables.h"

namespace coppice {
namespace {

using enum ValueType;

void add_any_media(std::vector<Signature>& table) {
  for (const ValueType kind : {kImage, kVideo, kAudio, kDocument}) {
    const std::string name = sql_type_name(kind);
    const std::vector<Parameter> media = {{name, kind, {}}};
    table.push_back(
        builtin_function("mime_type", media, kText,
                         "MIME type told from the content, as file --mime-type names it"));
    table.push_back(
        builtin_function("size_bytes", media, kInteger, "size of the stored object in bytes"));
    table.push_back(builtin_function("sha256", media, kText,
                                     "SHA-256 of the stored bytes, 64 hexadecimal digits"));
  }
}

void add_image(std::vector<Signature>& table) {
  const Parameter image = {"image", kImage, {}};
  table.push_back(builtin_function("width", {image}, kInteger, "width in pixels, as shown"));
  table.push_back(builtin_function("height", {image}, kInteger, "height in pixels, as shown"));
  table.push_back(builtin_function(
      "resize", {image, {"width", kInteger, {}}, {"height", kInteger, "0"}}, kImage,
      "the whole image scaled to fit a box of width x height pixels, aspect ratio kept, "
      "enlarged when smaller; 0 leaves that side free"));
  table.push_back(
      builtin_function("crop",
                       {image,
                        {"left", kInteger, {}},
                        {"top", kInteger, {}},
                        {"width", kInteger, {}},
                        {"height", kInteger, {}}},
                       kImage,
                       "the rectangle with that upper left corner, in pixels; it must lie "
                       "within the image"));
  table.push_back(
      builtin_function("rotate", {image, {"degrees", kFloat, {}}}, kImage,
                       "turned clockwise; multiples of 90 are exact, other angles enlarge the "
                       "canvas, with black (or transparent) corners"));
  table.push_back(
      builtin_function("grayscale", {image}, kImage, "luminance only: [height, width, 1]"));
  table.push_back(builtin_function(
      "encode", {image, {"format", kText, {}}, {"quality", kInteger, "85"}}, kImage,
      "the image as jpeg, png, webp, avif, gif or tiff; quality 1 to 100 for jpeg, webp "
      "and avif. Without encode, results are JPEG at 85 from lossy sources and PNG from "
      "lossless or transparent ones"));
  table.push_back(
      builtin_function("metadata", {image}, kJson,
                       "format, width, height, bands, bits, alpha, orientation, frames, "
                       "size_bytes, icc_profile, exif"));
  table.push_back(
      builtin_function("perceptual_hash", {image}, kText,
                       "64-bit DCT hash, 16 hexadecimal digits; similar images differ in few "
                       "bits"));
}

void add_reading(std::vector<Signature>& table) {
  table.push_back(builtin_function(
      "ocr", {{"image", kImage, {}}, {"language", kText, "'eng'"}}, kText,
      "the text to be seen on the image, by Tesseract; language is its code (eng, deu, …) or "
      "several joined by +, whose package tesseract-ocr-<code> must be installed; empty when there "
      "is none"));
}

void add_video(std::vector<Signature>& table) {
  const Parameter video = {"video", kVideo, {}};
  table.push_back(builtin_function("duration", {video}, kFloat, "length in seconds"));
  table.push_back(builtin_function("width", {video}, kInteger, "width in pixels, as shown"));
  table.push_back(builtin_function("height", {video}, kInteger, "height in pixels, as shown"));
  table.push_back(builtin_function("fps", {video}, kFloat, "average frames per second"));
  table.push_back(builtin_function("frame_count", {video}, kInteger,
                                   "number of frames in the video stream, counted, not estimated"));
  table.push_back(
      builtin_function("metadata", {video}, kJson,
                       "container, duration, size_bytes, tags, and each stream's codec and "
                       "properties"));
  table.push_back(
      builtin_function("frame_at", {video, {"seconds", kFloat, {}}}, kImage,
                       "the frame shown at that time, [height, width, 3]; 0 is the first "
                       "frame; NULL when the video has ended by then"));
  table.push_back(
      builtin_function("extract_audio", {video, {"format", kText, "'flac'"}}, kAudio,
                       "the sound track as flac, wav, mp3 or opus; NULL when there is none"));
}

void add_audio(std::vector<Signature>& table) {
  const Parameter audio = {"audio", kAudio, {}};
  table.push_back(builtin_function("duration", {audio}, kFloat, "length in seconds"));
  table.push_back(
      builtin_function("sample_rate", {audio}, kInteger, "samples per second, in hertz"));
  table.push_back(builtin_function("channels", {audio}, kInteger, "number of channels"));
  table.push_back(builtin_function("metadata", {audio}, kJson,
                                   "container, codec, duration, sample_rate, channels, bit_rate, "
                                   "size_bytes, tags"));
  table.push_back(
      builtin_function("loudness", {audio}, kFloat,
                       "integrated loudness in LUFS (EBU R 128, ITU-R BS.1770-4); NULL for "
                       "silence and for less than 0.4 seconds"));
}

void add_document(std::vector<Signature>& table) {
  const Parameter document = {"document", kDocument, {}};
  table.push_back(builtin_function("page_count", {document}, kInteger,
                                   "number of pages; 1 for HTML, Markdown and plain text"));
  table.push_back(
      builtin_function("text", {document}, kText,
                       "the text in reading order; PDF pages end with a form feed, HTML loses "
                       "its tags, Markdown and plain text are as they are"));
  table.push_back(
      builtin_function("metadata", {document}, kJson,
                       "format, page_count, size_bytes, and what the document says of itself: "
                       "title, author, created, …"));
  table.push_back(builtin_function(
      "page_image", {document, {"page", kInteger, {}}, {"dpi", kInteger, "150"}}, kImage,
      "a PDF page drawn at that many dots per inch, [height, width, 3]; pages count "
      "from 1; NULL past the last"));
}

// An iterator: `columns` is what each of its rows has after pos.
Signature iterator(std::string name, std::vector<Parameter> parameters,
                   std::vector<IteratorColumn> columns, std::string summary) {
  Signature signature =
      builtin_function(std::move(name), std::move(parameters), kJson, std::move(summary));
  signature.columns = std::move(columns);
  return signature;
}

void add_json(std::vector<Signature>& table) {
  table.push_back(iterator("elements", {{"items", kJson, {}}}, {{"element", kJson}},
                           "one row an element of a JSON array, in its order"));
}

std::vector<Signature> make_table() {
  std::vector<Signature> table;
  add_any_media(table);
  add_image(table);
  add_image_filters(table);
  add_reading(table);
  add_video(table);
  add_audio(table);
  add_document(table);
  add_json(table);
  add_edits(table);
  add_iterators(table);
  return table;
}

}  // namespace

std::span<const Signature> builtin_signatures() {
  static const std::vector<Signature> table = make_table();
  return table;
}

}  // namespace coppice
