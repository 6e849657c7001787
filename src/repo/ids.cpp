#include "repo/ids.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/error.h"
#include "base/hex.h"

namespace coppice::repo {
Digest digest_from_bytes(std::string_view bytes) {
  Digest digest;
  COPPICE_ASSERT(bytes.size() == digest.size());
  std::memcpy(digest.data(), bytes.data(), digest.size());
  return digest;
}

Digest digest_from_hex(std::string_view hex) {
  const auto bytes = from_hex(hex);
  if (bytes && bytes->size() == Digest().size()) return digest_from_bytes(*bytes);
  throw Error(ErrorCode::kIntegrity, fmt::format("\"{}\" is no name of 64 digits", hex));
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

std::optional<ObjectId> listed_id(std::string_view name) {
  const std::size_t slash = name.rfind('/');
  const auto bytes = from_hex(name.substr(slash == std::string_view::npos ? 0 : slash + 1));
  if (!bytes || bytes->size() != Digest().size()) return std::nullopt;
  const ObjectId id{digest_from_bytes(*bytes)};
  const std::string_view folder = name.substr(0, std::min(slash, name.size()));
  const bool pack = name == pack_name(id);
  constexpr std::string_view kOthers[] = {kBackupFolder, kConfirmationFolder, kDrillFolder,
                                          kHoldFolder,   kIndexFolder,        kMarkFolder,
                                          kSigningFolder};
  const bool other = std::find(std::begin(kOthers), std::end(kOthers), folder) != std::end(kOthers);
  return pack || (other && name == object_name(folder, id)) ? std::optional(id) : std::nullopt;
}

}  // namespace coppice::repo
