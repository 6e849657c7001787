#include "recovery/choose.h"

#include <fmt/core.h>

#include "base/error.h"
#include "catalog/schema.h"
#include "recovery/time_text.h"

namespace coppice::recovery {

const KnownBackup& chosen_backup(const std::vector<KnownBackup>& backups,
                                 const std::optional<std::string>& id,
                                 const std::optional<std::string>& at) {
  if (id) return backup_named(backups, *id);
  if (backups.empty()) {
    throw Error(ErrorCode::kNotFound, "the repository has no backups",
                "make one: coppice backup create --repo …");
  }
  if (!at) return backups.back();
  const std::int64_t wanted = time_in(*at);
  const KnownBackup* found = nullptr;
  for (const KnownBackup& backup : backups) {
    if (time_in(backup.manifest.moment) <= wanted) found = &backup;
  }
  if (found != nullptr) return *found;
  throw Error(ErrorCode::kNotFound, fmt::format("there is no backup as old as {}", *at),
              "the earliest is of " + backups.front().manifest.moment);
}

ChosenBackup open_backup(const RepositoryAddress& address, const std::optional<std::string>& id,
                         const std::optional<std::string>& at, ResultSink& sink) {
  ChosenBackup chosen{open_repository(address, sink), {}, nullptr};
  chosen.backups = known_backups(*chosen.open.repository, sink);
  chosen.backup = &chosen_backup(chosen.backups, id, at);
  check_catalog_format(chosen.backup->manifest);
  return chosen;
}

void check_catalog_format(const Manifest& manifest) {
  if (manifest.catalog_format <= catalog::kCatalogFormat) return;
  throw Error(ErrorCode::kNewerFormat,
              fmt::format("the backup has catalog format {}, this program reads up to {}",
                          manifest.catalog_format, catalog::kCatalogFormat),
              "use the coppice program that wrote it, or a newer one");
}

}  // namespace coppice::recovery
