// Keys: what a program that has opened a repository encrypts and decrypts with.
//
// Model    One id key, and the keys of the epochs. Without encryption there are none: names of
//          blobs are plain digests, frames plain bytes.
// Threads  Immutable once made.
// Errors   kIntegrity for an epoch that is not known.
// Source   docs/formats/repository.md, "Keys"
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "repo/cipher.h"
#include "repo/ids.h"

namespace coppice::repo {

inline constexpr std::size_t kEpochBytes = 16;

class Keys {
 public:
  // Of a repository that is not encrypted.
  Keys() : newest_(kEpochBytes, '\0') {}
  explicit Keys(const Key& id_key) : id_key_(id_key) {}

  void add_epoch(const std::string& id, std::uint64_t number, const Key& key);

  bool encrypted() const { return id_key_.has_value(); }
  BlobId blob_id(std::string_view bytes) const;
  // Throws kInternal without encryption.
  const Key& id_key() const;
  const std::string& newest_epoch() const { return newest_; }
  const Key& epoch(const std::string& id) const;
  bool knows_epoch(const std::string& id) const { return epochs_.contains(id); }
  // Whether a blob has the same id under both: they are of one repository and its copies.
  bool gives_same_ids_as(const Keys& other) const;

 private:
  std::optional<Key> id_key_;
  std::map<std::string, Key> epochs_;
  std::string newest_;
  std::uint64_t newest_number_ = 0;
};

}  // namespace coppice::repo
