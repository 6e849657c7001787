#include "repo/ids.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/error.h"

namespace coppice::repo {
namespace {

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

}  // namespace

Digest digest_from_bytes(std::string_view bytes) {
  Digest digest;
  COPPICE_ASSERT(bytes.size() == digest.size());
  std::memcpy(digest.data(), bytes.data(), digest.size());
  return digest;
}

Digest digest_from_hex(std::string_view hex) {
  Digest digest{};
  const bool valid = hex.size() == 2 * digest.size() &&
                     std::all_of(hex.begin(), hex.end(), [](char c) { return hex_value(c) >= 0; });
  if (!valid) {
    throw Error(ErrorCode::kIntegrity, fmt::format("\"{}\" is no name of 64 digits", hex));
  }
  for (std::size_t i = 0; i < digest.size(); ++i) {
    digest[i] = static_cast<std::uint8_t>(hex_value(hex[2 * i]) * 16 + hex_value(hex[2 * i + 1]));
  }
  return digest;
}

std::string pack_name(const ObjectId& pack) {
  const std::string hex = pack.hex();
  return fmt::format("packs/{}/{}", hex.substr(0, 2), hex);
}

std::string object_name(std::string_view folder, const ObjectId& object) {
  return fmt::format("{}/{}", folder, object.hex());
}

ObjectId object_id(std::string_view name) {
  const std::size_t slash = name.rfind('/');
  return {digest_from_hex(name.substr(slash == std::string_view::npos ? 0 : slash + 1))};
}

}  // namespace coppice::repo
