// Names inside a repository.
//
// Units    A name is 32 bytes, shown as 64 hexadecimal digits.
// Errors   kIntegrity for text that is none.
// Source   docs/formats/repository.md
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <cstring>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/sha256.h"

namespace coppice::repo {

// Which of two kinds a name is, is a type: a blob's id is no name of an object.
template <typename Kind>
struct Name {
  Digest bytes{};

  std::string hex() const { return to_hex(bytes); }
  std::string_view view() const {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }
  auto operator<=>(const Name&) const = default;
};

using BlobId = Name<struct BlobIdKind>;      // HMAC-SHA256 of a blob's bytes
using ObjectId = Name<struct ObjectIdKind>;  // SHA-256 of an object's bytes

Digest digest_from_bytes(std::string_view bytes);
Digest digest_from_hex(std::string_view hex);

// Where objects are. What is not a pack is in one folder, so that one request lists it, and in an
// order that a listing keeps: backups and marks before the indexes.
inline constexpr std::string_view kMetaFolder = "meta";
inline constexpr std::string_view kBackupFolder = "meta/backups";
inline constexpr std::string_view kConfirmationFolder = "meta/confirmations";
inline constexpr std::string_view kHoldFolder = "meta/holds";
inline constexpr std::string_view kDrillFolder = "meta/drills";
inline constexpr std::string_view kEpochFolder = "meta/epochs";
inline constexpr std::string_view kMarkFolder = "meta/garbage";
inline constexpr std::string_view kIndexFolder = "meta/index";
inline constexpr std::string_view kKeyFolder = "meta/keys";
inline constexpr std::string_view kSigningFolder = "meta/signing";
inline constexpr std::string_view kProbeFolder = "probes";

// "packs/ab/ab…", "meta/index/…".
std::string pack_name(const ObjectId& pack);
std::string object_name(std::string_view folder, const ObjectId& object);
// Of a listed object: the id in its name. Throws when it has another form.
ObjectId object_id(std::string_view name);
// nullopt for a name that is none of a repository's.
std::optional<ObjectId> listed_id(std::string_view name);

}  // namespace coppice::repo

template <typename Kind>
struct std::hash<coppice::repo::Name<Kind>> {
  std::size_t operator()(const coppice::repo::Name<Kind>& name) const {
    std::size_t value = 0;  // its bytes are random
    std::memcpy(&value, name.bytes.data(), sizeof value);
    return value;
  }
};
