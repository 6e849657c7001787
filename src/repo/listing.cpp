#include "repo/listing.h"

#include <algorithm>

namespace coppice::repo {

Listing list_repository(ObjectStore& store) {
  Listing listing;
  listing.at = std::chrono::steady_clock::now();
  store.list(std::string(kMetaFolder) + "/", [&](const ObjectInfo& info) {
    const std::string_view name = info.name;
    const std::string_view folder = name.substr(0, name.rfind('/'));
    if (folder == kKeyFolder) listing.keys.push_back(info.name);
    if (folder == kEpochFolder) listing.epochs.push_back(info.name);
    const std::optional<ObjectId> id = listed_id(name);
    if (!id) return;
    const ListedObject object{*id, info.size_bytes, info.modified_us};
    if (folder == kBackupFolder) listing.backups.push_back(object);
    if (folder == kMarkFolder) listing.marks.push_back(object);
    if (folder == kIndexFolder) listing.indexes.push_back(object);
    if (folder == kConfirmationFolder) listing.confirmations.push_back(object);
    if (folder == kDrillFolder) listing.drills.push_back(object);
    if (folder == kHoldFolder) listing.holds.push_back(object);
    if (folder == kSigningFolder) listing.signing.push_back(object);
  });
  std::sort(listing.keys.begin(), listing.keys.end());
  std::sort(listing.epochs.begin(), listing.epochs.end());
  return listing;
}

std::map<ObjectId, ObjectInfo> list_packs(ObjectStore& store) {
  std::map<ObjectId, ObjectInfo> packs;
  store.list("packs/", [&](const ObjectInfo& info) {
    if (const auto id = listed_id(info.name)) packs.emplace(*id, info);
  });
  return packs;
}

}  // namespace coppice::repo
