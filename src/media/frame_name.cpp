#include "media/frame_name.h"

#include <fmt/core.h>

#include <charconv>

namespace coppice {
namespace {

constexpr std::string_view kPrefix = "frame:";
constexpr std::string_view kMediaPrefix = "media:";

}  // namespace

std::string FrameName::text() const {
  return fmt::format("{}{}@{}", kPrefix, video.text().substr(kMediaPrefix.size()), timestamp);
}

std::optional<FrameName> FrameName::parse(std::string_view text) {
  const std::size_t at = text.rfind('@');
  if (!text.starts_with(kPrefix) || at == std::string_view::npos) return std::nullopt;
  const std::string_view object = text.substr(kPrefix.size(), at - kPrefix.size());
  const std::string_view number = text.substr(at + 1);
  FrameName name;
  const auto [end, error] =
      std::from_chars(number.data(), number.data() + number.size(), name.timestamp);
  if (error != std::errc() || end != number.data() + number.size()) return std::nullopt;
  const auto video = MediaName::parse(std::string(kMediaPrefix) + std::string(object));
  if (!video) return std::nullopt;
  name.video = *video;
  // One frame has one name.
  return name.text() == text ? std::optional(name) : std::nullopt;
}

std::optional<MediaName> object_behind(std::string_view value) {
  if (const auto frame = FrameName::parse(value)) return frame->video;
  return MediaName::parse(value);
}

}  // namespace coppice
