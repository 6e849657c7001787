#include "repo/check.h"

#include <algorithm>

#include "repo/pack_check.h"
#include "repo/tree_check.h"

namespace coppice::repo {
namespace {

constexpr int kMostAttempts = 5;

std::set<ObjectId> indexes_of(const Listing& listing) {
  std::set<ObjectId> ids;
  for (const ListedObject& object : listing.indexes) ids.insert(object.id);
  return ids;
}

}  // namespace

CheckReport check(const Repository& repository, const CheckOptions& options) {
  Repository plain = repository.uncached();
  for (int attempt = 1;; ++attempt) {
    CheckReport report;
    report.damages = plain.load_index(Repository::AsOf::kNow);
    report.indexes = plain.listing().indexes.size();
    const Listing listing = plain.listing();
    const std::map<ObjectId, ObjectInfo> there = list_packs(plain.store());
    PackCheck packs(plain, there, report);
    packs.compare();
    // A collection may have removed packs, and their indexes before them, in between.
    if (!packs.complete() && attempt < kMostAttempts &&
        indexes_of(list_repository(plain.store())) != indexes_of(listing)) {
      continue;
    }
    if (options.level == CheckOptions::Level::kData) packs.read(options);
    TreeCheck(plain, packs, report).run(listing.backups, options.parallel);
    return report;
  }
}

}  // namespace coppice::repo
