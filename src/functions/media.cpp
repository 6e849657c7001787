#include "functions/media.h"

#include <fmt/core.h>

#include "base/error.h"
#include "functions/failure.h"
#include "functions/mime_type.h"

namespace coppice::functions {
namespace {

MediaName parse_name(const std::string& text) {
  if (const auto name = MediaName::parse(text)) return *name;
  throw FunctionFailure(
      "missing", fmt::format("\"{}\" is not the name of an object in the media store", text));
}

}  // namespace

std::filesystem::path find_object(const MediaName& name, const MediaStore& store) {
  try {
    return store.find(name);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kNotFound) throw;
    throw FunctionFailure("missing",
                          fmt::format("{} is not in the media store ({}): restore it from a backup "
                                      "or insert the file again",
                                      name.text(), store.path_of(name).string()));
  }
}

Media::Media(const Value& value, const MediaStore& store, const Limits& limits)
    : type_(value.type),
      limits_(&limits),
      name_(parse_name(value.text)),
      file_(find_object(*name_, store)) {}

Media::Media(Picture picture) : type_(ValueType::kImage), picture_(std::move(picture)) {}

Media::Media(ValueType type, std::unique_ptr<ScratchFolder> scratch, std::filesystem::path file,
             const Limits& limits)
    : type_(type), limits_(&limits), file_(std::move(file)), scratch_(std::move(scratch)) {}

Picture& Media::picture() {
  COPPICE_ASSERT(type_ == ValueType::kImage);
  if (!picture_) {
    picture_.emplace(EncodedImage{read_file(file_), name_->extension}, *limits_);
  }
  return *picture_;
}

Video& Media::video() {
  COPPICE_ASSERT(type_ == ValueType::kVideo);
  if (!video_) video_ = std::make_unique<Video>(file_, *limits_);
  return *video_;
}

Audio& Media::audio() {
  // A video has a sound track.
  COPPICE_ASSERT(type_ == ValueType::kAudio || type_ == ValueType::kVideo);
  if (!audio_) audio_ = std::make_unique<Audio>(file_, sql_type_name(type_), *limits_);
  return *audio_;
}

Document& Media::document() {
  COPPICE_ASSERT(type_ == ValueType::kDocument);
  if (!document_) document_ = std::make_unique<Document>(file_, *limits_);
  return *document_;
}

std::string Media::mime_type() {
  return file_.empty() ? mime_type_of_bytes(picture().encoded().bytes) : mime_type_of_file(file_);
}

std::int64_t Media::size_bytes() {
  return static_cast<std::int64_t>(file_.empty() ? picture().encoded().bytes.size()
                                                 : std::filesystem::file_size(file_));
}

std::string Media::sha256_hex() {
  if (name_) return name_->sha256_hex;
  return to_hex(file_.empty() ? sha256(picture().encoded().bytes) : sha256_file(file_));
}

Value Media::stored(MediaStore& store) {
  if (!name_ && file_.empty()) {
    const EncodedImage& encoded = picture().encoded();
    name_ = store.put_bytes(encoded.bytes, encoded.extension);
  } else if (!name_) {
    const std::string extension = file_.extension().string().substr(1);
    name_ = store.put_file(file_, extension, true);
  } else if (!file_.empty() && file_ != store.path_of(*name_)) {
    // An argument that a function gave back, from the cache of references: that may vanish.
    name_ = store.put_file(file_, name_->extension, false);
  }
  Value value;
  value.type = type_;
  value.text = name_->text();
  return value;
}

}  // namespace coppice::functions
