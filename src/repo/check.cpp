#include "repo/check.h"

#include <algorithm>

#include "base/error.h"
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

// What is no part of a backup: what people have confirmed or hold, reports of drills, and the key
// that signs them.
void read_apart(const Repository& repository, const Listing& listing, CheckReport& report) {
  const auto read = [&](std::string_view folder, ObjectKind kind,
                        const std::vector<ListedObject>& objects) {
    for (const ListedObject& object : objects) {
      try {
        repository.get_sealed(folder, kind, object.id);
      } catch (const Error& error) {
        if (error.code() != ErrorCode::kIntegrity) throw;
        report.damages.push_back({object_name(folder, object.id), error.message(), {}});
      }
    }
  };
  read(kConfirmationFolder, ObjectKind::kConfirmation, listing.confirmations);
  read(kHoldFolder, ObjectKind::kHold, listing.holds);
  read(kDrillFolder, ObjectKind::kDrill, listing.drills);
  read(kSigningFolder, ObjectKind::kSigning, listing.signing);
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
    if (options.level == CheckOptions::Level::kData) {
      packs.read(options);
      read_apart(plain, listing, report);
    }
    TreeCheck(plain, packs, report).run(listing.backups, options.parallel);
    return report;
  }
}

}  // namespace coppice::repo
