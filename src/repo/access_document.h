// The documents of accesses and epochs, as they are in a store. Part of repo/access.h.
//
// Threads  Immutable once made.
// Errors   kIntegrity, naming the document, for what does not fit; kNewerFormat.
// Source   docs/formats/repository.md, "Keys"
#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "objects/object_store.h"
#include "repo/keys.h"

namespace coppice::repo {

struct SealedEpoch {
  std::string id;
  std::uint64_t number = 0;
  std::string key;  // sealed
};

class AccessDocument {
 public:
  static AccessDocument read(ObjectStore& store, const std::string& name);
  static AccessDocument parse(const std::string& name, const std::string& text);

  const std::string& name() const { return name_; }
  std::string text(const char* member) const;
  std::uint64_t number(const char* member) const;
  // Of base64; of any size when none is given.
  std::string binary(const char* member, std::size_t size_bytes = 0) const;
  // Of the member "kdf".
  std::uint64_t kdf_number(const char* member) const;
  std::string kdf_text(const char* member) const;
  std::string kdf_binary(const char* member, std::size_t size_bytes) const;
  // Of an epoch: its key, sealed for the access `id`; nullopt when it is not.
  std::optional<std::string> sealed_for(const std::string& id) const;
  // Of an access: the epochs that there were when it was made.
  std::vector<SealedEpoch> sealed_epochs() const;

  void check_mac(const Keys& keys) const;
  [[noreturn]] void fail(const std::string& what) const;

 private:
  AccessDocument(std::string name, nlohmann::json content);
  const nlohmann::json& part(const char* member) const;
  std::string text_of(const nlohmann::json& from, const char* member) const;
  std::uint64_t number_of(const nlohmann::json& from, const char* member) const;
  std::string decoded(const std::string& base64, std::size_t size_bytes) const;

  std::string name_;
  std::shared_ptr<const nlohmann::json> content_;
};

// Gives the document its MAC. kConflict when there is one of that name.
void put_document(ObjectStore& store, const std::string& name, nlohmann::json content,
                  const Keys& keys);

}  // namespace coppice::repo
