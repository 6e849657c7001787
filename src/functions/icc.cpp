#include "functions/icc.h"

#include <algorithm>
#include <cstdint>

#include "base/text.h"

namespace coppice::functions {
namespace {

std::uint32_t u32(std::string_view data, std::size_t at) {
  if (data.size() < 4 || at > data.size() - 4) return 0;
  std::uint32_t value = 0;
  for (int i = 0; i < 4; ++i) value = value << 8 | static_cast<std::uint8_t>(data[at + i]);
  return value;
}

std::string_view tag_data(std::string_view profile, std::string_view signature) {
  constexpr std::size_t kTable = 128;
  const std::uint32_t count = std::min<std::uint32_t>(u32(profile, kTable), 256);
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::size_t entry = kTable + 4 + std::size_t{12} * i;
    if (entry + 12 > profile.size()) break;
    if (profile.substr(entry, 4) != signature) continue;
    const std::size_t offset = u32(profile, entry + 4);
    if (offset < profile.size()) return profile.substr(offset, u32(profile, entry + 8));
  }
  return {};
}

}  // namespace

std::string icc_description(std::string_view profile) {
  const std::string_view tag = tag_data(profile, "desc");
  std::string text;
  if (tag.starts_with("desc") && tag.size() > 12) {
    text = tag.substr(12, u32(tag, 8));
  } else if (tag.starts_with("mluc") && tag.size() > 28) {
    // The first record, UTF-16 of which only the ASCII part is kept.
    const std::size_t offset = std::min<std::size_t>(u32(tag, 24), tag.size());
    const std::string_view name = tag.substr(offset, u32(tag, 20));
    for (std::size_t i = 0; i + 1 < name.size(); i += 2) {
      if (name[i] == 0 && name[i + 1] > 0) text += name[i + 1];
    }
  }
  text = text.substr(0, text.find('\0'));
  return first_invalid_utf8(text) ? std::string() : std::string(trim(text));
}

bool icc_is_srgb(std::string_view profile) {
  return profile.empty() || icc_description(profile).find("sRGB") != std::string::npos;
}

}  // namespace coppice::functions
