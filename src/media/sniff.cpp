#include "media/sniff.h"

#include <algorithm>
#include <array>
#include <cctype>

#include "base/text.h"

namespace coppice {
namespace {

using std::string_view_literals::operator""sv;

constexpr MediaKind kImage = MediaKind::kImage;
constexpr MediaKind kVideo = MediaKind::kVideo;
constexpr MediaKind kAudio = MediaKind::kAudio;
constexpr MediaKind kDocument = MediaKind::kDocument;

// `magic` at `offset`, and `second` at `second_offset` when it is not empty.
struct Signature {
  std::size_t offset;
  std::string_view magic;
  std::size_t second_offset;
  std::string_view second;
  SniffedType type;
};

constexpr Signature kSignatures[] = {
    {0, "\xff\xd8\xff"sv, 0, {}, {kImage, "image/jpeg", "jpg", "a JPEG image"}},
    {0, "\x89PNG\r\n\x1a\n"sv, 0, {}, {kImage, "image/png", "png", "a PNG image"}},
    {0, "RIFF"sv, 8, "WEBP"sv, {kImage, "image/webp", "webp", "a WebP image"}},
    {0, "GIF87a"sv, 0, {}, {kImage, "image/gif", "gif", "a GIF image"}},
    {0, "GIF89a"sv, 0, {}, {kImage, "image/gif", "gif", "a GIF image"}},
    {0, "II*\0"sv, 0, {}, {kImage, "image/tiff", "tif", "a TIFF image"}},
    {0, "MM\0*"sv, 0, {}, {kImage, "image/tiff", "tif", "a TIFF image"}},
    {0, "II+\0"sv, 0, {}, {kImage, "image/tiff", "tif", "a TIFF image"}},
    {0, "MM\0+"sv, 0, {}, {kImage, "image/tiff", "tif", "a TIFF image"}},
    {0, "RIFF"sv, 8, "AVI "sv, {kVideo, "video/x-msvideo", "avi", "an AVI video"}},
    {0, "FLV\1"sv, 0, {}, {kVideo, "video/x-flv", "flv", "an FLV video"}},
    {0, "\0\0\1\xba"sv, 0, {}, {kVideo, "video/mpeg", "mpg", "an MPEG video"}},
    {0, "\0\0\1\xb3"sv, 0, {}, {kVideo, "video/mpeg", "mpg", "an MPEG video"}},
    {0, "RIFF"sv, 8, "WAVE"sv, {kAudio, "audio/wav", "wav", "a WAV sound"}},
    {0, "RF64"sv, 8, "WAVE"sv, {kAudio, "audio/wav", "wav", "a WAV sound"}},
    {0, "fLaC"sv, 0, {}, {kAudio, "audio/flac", "flac", "a FLAC sound"}},
    {0, "FORM"sv, 8, "AIFF"sv, {kAudio, "audio/aiff", "aiff", "an AIFF sound"}},
    {0, "FORM"sv, 8, "AIFC"sv, {kAudio, "audio/aiff", "aiff", "an AIFF sound"}},
    {0, ".snd"sv, 0, {}, {kAudio, "audio/basic", "au", "an AU sound"}},
    {0, "#!AMR"sv, 0, {}, {kAudio, "audio/amr", "amr", "an AMR sound"}},
    {0, "ID3"sv, 0, {}, {kAudio, "audio/mpeg", "mp3", "an MP3 sound"}},
};

std::string_view at(std::string_view bytes, std::size_t offset, std::size_t size) {
  return offset < bytes.size() ? bytes.substr(offset, size) : std::string_view();
}

std::optional<SniffedType> by_signature(std::string_view bytes) {
  for (const Signature& entry : kSignatures) {
    if (at(bytes, entry.offset, entry.magic.size()) == entry.magic &&
        at(bytes, entry.second_offset, entry.second.size()) == entry.second) {
      return entry.type;
    }
  }
  return std::nullopt;
}

// ISO base media (ISO/IEC 14496-12): images, videos and sounds differ by brand only.
std::optional<SniffedType> iso_media(std::string_view bytes, std::optional<MediaKind> wanted) {
  if (at(bytes, 4, 4) == "moov" || at(bytes, 4, 4) == "mdat" || at(bytes, 4, 4) == "wide")
    return SniffedType{kVideo, "video/quicktime", "mov", "a QuickTime video"};
  if (at(bytes, 4, 4) != "ftyp" || bytes.size() < 12) return std::nullopt;
  const std::string_view brand = at(bytes, 8, 4);
  if (brand == "avif" || brand == "avis")
    return SniffedType{kImage, "image/avif", "avif", "an AVIF image"};
  for (const std::string_view heif : {"heic"sv, "heix"sv, "heim"sv, "heis"sv, "mif1"sv, "msf1"sv}) {
    if (brand != heif) continue;
    // The main brand "mif1" leaves the codec to the compatible brands.
    if (at(bytes, 16, 64).find("avif") != std::string_view::npos)
      return SniffedType{kImage, "image/avif", "avif", "an AVIF image"};
    return SniffedType{kImage, "image/heif", "heic", "a HEIF image"};
  }
  if (brand == "M4A " || brand == "M4B ")
    return SniffedType{kAudio, "audio/mp4", "m4a", "an M4A sound"};
  if (brand == "qt  ") return SniffedType{kVideo, "video/quicktime", "mov", "a QuickTime video"};
  if (wanted == kAudio) return SniffedType{kAudio, "audio/mp4", "m4a", "an MP4 file"};
  return SniffedType{kVideo, "video/mp4", "mp4", "an MP4 video"};
}

// Matroska and WebM: EBML with a DocType.
std::optional<SniffedType> matroska(std::string_view bytes, std::optional<MediaKind> wanted) {
  if (at(bytes, 0, 4) != "\x1a\x45\xdf\xa3"sv) return std::nullopt;
  const bool webm = at(bytes, 0, 64).find("webm") != std::string_view::npos;
  if (wanted == kAudio) {
    return webm ? SniffedType{kAudio, "audio/webm", "webm", "a WebM file"}
                : SniffedType{kAudio, "audio/x-matroska", "mka", "a Matroska file"};
  }
  return webm ? SniffedType{kVideo, "video/webm", "webm", "a WebM video"}
              : SniffedType{kVideo, "video/x-matroska", "mkv", "a Matroska video"};
}

std::optional<SniffedType> ogg(std::string_view bytes, std::optional<MediaKind> wanted) {
  if (at(bytes, 0, 4) != "OggS") return std::nullopt;
  if (at(bytes, 28, 7) == "\x80theora")
    return SniffedType{kVideo, "video/ogg", "ogv", "an Ogg video"};
  if (at(bytes, 28, 8) == "OpusHead")
    return SniffedType{kAudio, "audio/opus", "opus", "an Opus sound"};
  // A skeleton stream ("fishead") comes first and says nothing of what follows.
  if (wanted == kVideo && at(bytes, 28, 7) == "fishead")
    return SniffedType{kVideo, "video/ogg", "ogv", "an Ogg video"};
  return SniffedType{kAudio, "audio/ogg", "ogg", "an Ogg sound"};
}

std::optional<SniffedType> asf(std::string_view bytes, std::optional<MediaKind> wanted) {
  if (at(bytes, 0, 8) != "\x30\x26\xb2\x75\x8e\x66\xcf\x11"sv) return std::nullopt;
  if (wanted == kAudio) return SniffedType{kAudio, "audio/x-ms-wma", "wma", "a Windows Media file"};
  return SniffedType{kVideo, "video/x-ms-wmv", "wmv", "a Windows Media video"};
}

// Frames of MPEG audio without an ID3 tag: 11 bits of sync, then values that are not reserved.
std::optional<SniffedType> mpeg_audio(std::string_view bytes) {
  if (bytes.size() < 4) return std::nullopt;
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(bytes[i]); };
  if (byte(0) != 0xff || (byte(1) & 0xe0) != 0xe0) return std::nullopt;
  const int version = (byte(1) >> 3) & 3, layer = (byte(1) >> 1) & 3;
  if (layer == 0 && (byte(1) & 0xf6) == 0xf0)
    return SniffedType{kAudio, "audio/aac", "aac", "an AAC sound"};
  const int bit_rate = byte(2) >> 4, sample_rate = (byte(2) >> 2) & 3;
  // Layer I (3) is left out: the byte order mark of UTF-16 would pass for it.
  if (version == 1 || layer == 0 || layer == 3 || bit_rate == 15 || bit_rate == 0 ||
      sample_rate == 3)
    return std::nullopt;
  return SniffedType{kAudio, "audio/mpeg", "mp3", "an MP3 sound"};
}

// MPEG transport streams: the sync byte at the start of each packet of 188 bytes.
std::optional<SniffedType> transport_stream(std::string_view bytes) {
  if (bytes.size() < 3 * 188 + 1) return std::nullopt;
  for (std::size_t packet = 0; packet < 4; ++packet) {
    if (bytes[packet * 188] != 'G') return std::nullopt;
  }
  return SniffedType{kVideo, "video/mp2t", "ts", "an MPEG transport stream"};
}

// A PDF may have up to 1024 bytes of something else before its header.
std::optional<SniffedType> pdf(std::string_view bytes) {
  if (at(bytes, 0, 1024).find("%PDF-") == std::string_view::npos) return std::nullopt;
  return SniffedType{kDocument, "application/pdf", "pdf", "a PDF document"};
}

// The tags are those of WHATWG's MIME sniffing, section 7.1; comments before them do not count.
bool looks_like_html(std::string_view text) {
  while (text.starts_with("<!--")) {
    const std::size_t end = text.find("-->");
    if (end == std::string_view::npos) return false;
    text = trim(text.substr(end + 3));
  }
  for (const std::string_view tag :
       {"<!doctype html"sv, "<html"sv, "<head"sv, "<body"sv, "<script"sv, "<iframe"sv, "<h1"sv,
        "<div"sv, "<font"sv, "<table"sv, "<a"sv, "<style"sv, "<title"sv, "<b"sv, "<br"sv, "<p"sv,
        "<meta"sv}) {
    if (!starts_with_ignoring_case(text, tag)) continue;
    const char next = text.size() > tag.size() ? text[tag.size()] : '>';
    if (next == '>' || std::isspace(static_cast<unsigned char>(next)) != 0) return true;
  }
  // XHTML begins with an XML declaration.
  return starts_with_ignoring_case(text, "<?xml") &&
         lower(text.substr(0, 1024)).find("<html") != std::string::npos;
}

bool looks_like_markdown(std::string_view text) {
  int marks = 0;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    const std::size_t hashes = std::min(line.find_first_not_of('#'), line.size());
    if (hashes >= 1 && hashes <= 6 && line.size() > hashes && line[hashes] == ' ') ++marks;
    if (line.substr(0, 3) == "```" || line.find("](") != std::string_view::npos) ++marks;
  }
  return marks > 0;
}

std::optional<SniffedType> text_document(std::string_view bytes) {
  if (bytes.substr(0, 3) == "\xef\xbb\xbf") bytes.remove_prefix(3);
  const auto is_control = [](char c) {
    return static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\r' && c != '\t' && c != '\f';
  };
  if (std::any_of(bytes.begin(), bytes.end(), is_control)) return std::nullopt;
  const std::string_view text = trim(bytes);
  // A page may be in any encoding that ASCII is a part of: it names its own.
  if (looks_like_html(text)) return SniffedType{kDocument, "text/html", "html", "an HTML document"};
  if (const std::optional<std::size_t> bad = first_invalid_utf8(bytes)) {
    // The piece that was read may end in the middle of a character.
    if (bytes.size() < kSniffBytes - 3 || *bad + 3 < bytes.size()) return std::nullopt;
  }
  if (looks_like_markdown(text))
    return SniffedType{kDocument, "text/markdown", "md", "a Markdown document"};
  return SniffedType{kDocument, "text/plain", "txt", "a text document"};
}

}  // namespace

std::string_view kind_name(MediaKind kind) {
  switch (kind) {
    case kImage:
      return "image";
    case kVideo:
      return "video";
    case kAudio:
      return "audio";
    case kDocument:
      return "document";
  }
  return "media";
}

std::string kind_with_article(MediaKind kind) {
  const bool vowel = kind == kImage || kind == kAudio;
  return (vowel ? "an " : "a ") + std::string(kind_name(kind));
}

std::optional<MediaKind> kind_from_name(std::string_view name) {
  for (const MediaKind kind : {kImage, kVideo, kAudio, kDocument}) {
    if (kind_name(kind) == name) return kind;
  }
  return std::nullopt;
}

std::optional<SniffedType> sniff(std::string_view first_bytes, std::optional<MediaKind> wanted) {
  const std::string_view bytes = first_bytes.substr(0, kSniffBytes);
  if (bytes.empty()) return std::nullopt;
  if (auto type = by_signature(bytes)) return type;
  if (auto type = iso_media(bytes, wanted)) return type;
  if (auto type = matroska(bytes, wanted)) return type;
  if (auto type = ogg(bytes, wanted)) return type;
  if (auto type = asf(bytes, wanted)) return type;
  if (auto type = mpeg_audio(bytes)) return type;
  if (auto type = transport_stream(bytes)) return type;
  if (auto type = pdf(bytes)) return type;
  return text_document(bytes);
}

}  // namespace coppice
