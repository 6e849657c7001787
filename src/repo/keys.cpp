#include "repo/keys.h"

#include <fmt/core.h>

#include "base/error.h"

namespace coppice::repo {

void Keys::add_epoch(const std::string& id, std::uint64_t number, const Key& key) {
  COPPICE_ASSERT(encrypted() && id.size() == kEpochBytes);
  epochs_.insert_or_assign(id, key);
  const bool newer =
      newest_.empty() || number > newest_number_ || (number == newest_number_ && id < newest_);
  if (!newer) return;
  newest_ = id;
  newest_number_ = number;
}

BlobId Keys::blob_id(std::string_view bytes) const {
  return {encrypted() ? hmac_sha256(*id_key_, bytes) : sha256(bytes)};
}

const Key& Keys::id_key() const {
  COPPICE_ASSERT(encrypted());
  return *id_key_;
}

bool Keys::gives_same_ids_as(const Keys& other) const {
  if (!encrypted() || !other.encrypted()) return encrypted() == other.encrypted();
  return id_key_->view() == other.id_key_->view();
}

const Key& Keys::epoch(const std::string& id) const {
  const auto found = epochs_.find(id);
  if (found != epochs_.end()) return found->second;
  throw Error(
      ErrorCode::kIntegrity,
      fmt::format("it was written in epoch {}, whose key this key does not open", to_hex(id)));
}

}  // namespace coppice::repo
