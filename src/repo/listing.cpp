#include "repo/listing.h"

#include <algorithm>

namespace coppice::repo {

Listing list_repository(ObjectStore& store) {
  Listing listing;
  listing.at = std::chrono::steady_clock::now();
  store.list(std::string(kMetaFolder) + "/", [&](const ObjectInfo& info) {
    const std::string_view name = info.name;
    const std::string_view folder = name.substr(0, name.rfind('/'));
    const auto add = [&](std::vector<ListedObject>& objects) {
      objects.push_back({object_id(name), info.size_bytes, info.modified_us});
    };
    if (folder == kBackupFolder) add(listing.backups);
    if (folder == kMarkFolder) add(listing.marks);
    if (folder == kIndexFolder) add(listing.indexes);
    if (folder == kKeyFolder) listing.keys.push_back(info.name);
    if (folder == kEpochFolder) listing.epochs.push_back(info.name);
  });
  std::sort(listing.keys.begin(), listing.keys.end());
  std::sort(listing.epochs.begin(), listing.epochs.end());
  return listing;
}

}  // namespace coppice::repo
