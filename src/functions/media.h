// Media: one media value within one row, opened once and shared by all calls on it.
//
// Model    Comes from the store, or is a result that is not stored yet: a picture, or a file in a
//          scratch folder. It is opened as what a function needs when the first one asks.
// Errors   FunctionFailure "missing" when the store has no such object, and those of what it is
//          opened as. Error from the store (disk full, …).
// Threads  Used by one thread.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "base/files.h"
#include "functions/audio.h"
#include "functions/document.h"
#include "functions/limits.h"
#include "functions/picture.h"
#include "functions/video.h"
#include "media/store.h"
#include "workers/value.h"

namespace coppice::functions {

// The file of an object; FunctionFailure "missing" when the store has none.
std::filesystem::path find_object(const MediaName& name, const MediaStore& store);

class Media {
 public:
  // An object of the store, by its value.
  Media(const Value& value, const MediaStore& store, const Limits& limits);
  // A picture that a function made.
  explicit Media(Picture picture);
  // A file that a function made, in a scratch folder of its own.
  Media(ValueType type, std::unique_ptr<ScratchFolder> scratch, std::filesystem::path file,
        const Limits& limits);

  ValueType type() const { return type_; }

  // Only for media of that type.
  Picture& picture();
  Video& video();
  Audio& audio();
  Document& document();

  // The file to read it from; empty for a picture that a function made.
  const std::filesystem::path& file() const { return file_; }

  std::string mime_type();
  std::int64_t size_bytes();
  std::string sha256_hex();

  // The value under which it is in the store; a result is put there first.
  Value stored(MediaStore& store);

 private:
  ValueType type_;
  const Limits* limits_ = nullptr;
  std::optional<MediaName> name_;
  std::filesystem::path file_;  // empty for a picture that a function made
  std::unique_ptr<ScratchFolder> scratch_;
  std::optional<Picture> picture_;
  std::unique_ptr<Video> video_;
  std::unique_ptr<Audio> audio_;
  std::unique_ptr<Document> document_;
};

}  // namespace coppice::functions
