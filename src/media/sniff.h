// sniff: what a file is, from its first bytes.
//
// Model    Looks at signatures, never at the file's name: kind, MIME type and the extension that a
//          media object gets. It says what a file claims to be; that it can be decoded is for the
//          function "probe" of the workers to say.
// Threads  Pure functions.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace coppice {

enum class MediaKind { kImage, kVideo, kAudio, kDocument };

// "image", "video", "audio", "document": also the names of the SQL types.
std::string_view kind_name(MediaKind kind);
// "an image", "a video", "an audio", "a document": for messages.
std::string kind_with_article(MediaKind kind);
std::optional<MediaKind> kind_from_name(std::string_view name);

struct SniffedType {
  MediaKind kind;
  std::string_view mime;         // "image/jpeg"
  std::string_view extension;    // "jpg"
  std::string_view description;  // "a JPEG image"
};

// So many bytes from the start are enough.
constexpr std::size_t kSniffBytes = 4096;

// nullopt when the bytes are of no type that Coppice takes. Some containers hold sound or moving
// pictures (MP4, Matroska, WebM, Ogg, ASF): they are reported as what they mostly are, and `wanted`
// decides where both are possible.
std::optional<SniffedType> sniff(std::string_view first_bytes,
                                 std::optional<MediaKind> wanted = std::nullopt);

}  // namespace coppice
