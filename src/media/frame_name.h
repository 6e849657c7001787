// FrameName: a frame of a video of the store, as a cell of type image may name it.
//
// Model    "frame:<64 hex>.<ext>@<timestamp>": the frame is not stored, its video is. What it means
//          is the JPEG that the iterator frames() would have stored; whoever needs the bytes has
//          them decoded. docs/formats/media_store.md.
// Units    Timestamps are ticks of the time base of the video's picture stream.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "media/store.h"

namespace coppice {

struct FrameName {
  MediaName video;
  std::int64_t timestamp = 0;

  std::string text() const;
  // nullopt when `text` is not the name of a frame.
  static std::optional<FrameName> parse(std::string_view text);
};

// The object that must be there for the value of a media cell: its own, or a frame's video.
// nullopt for URLs and what else is no name.
std::optional<MediaName> object_behind(std::string_view value);

}  // namespace coppice
