#include "recovery/choose.h"

#include <fmt/core.h>

#include "base/error.h"
#include "catalog/schema.h"
#include "recovery/time_text.h"

namespace coppice::recovery {

void check_kind(const KnownBackup& backup, std::string_view kind) {
  if (kind.empty() || backup.manifest.kind == kind) return;
  const std::string id = short_backup_id(backup.id.hex());
  const bool is_home = backup.manifest.kind == kHomeBackup;
  if (is_home || backup.manifest.kind == kOtherDataBackup) {
    throw Error(ErrorCode::kUsage,
                fmt::format("the backup {} is of {}", id,
                            is_home ? "a home" : "other data: a dump, or folders"),
                fmt::format("coppice restore --backup {} {}", id,
                            is_home ? "--home FOLDER" : "--to-files FOLDER --to-database URL"));
  }
  throw Error(ErrorCode::kNewerFormat,
              fmt::format("the backup {} is of a kind that this program does not know: {}", id,
                          backup.manifest.kind),
              "use the coppice program that wrote it, or a newer one");
}

const KnownBackup& chosen_backup(const std::vector<KnownBackup>& backups,
                                 const std::optional<std::string>& id,
                                 const std::optional<std::string>& at, std::string_view kind) {
  if (id && id != "latest") {
    const KnownBackup& named = backup_named(backups, *id);
    check_kind(named, kind);
    return named;
  }
  const KnownBackup *found = nullptr, *earliest = nullptr;
  const std::optional<std::int64_t> wanted = at ? std::optional(time_in(*at)) : std::nullopt;
  for (const KnownBackup& backup : backups) {
    if (!kind.empty() && backup.manifest.kind != kind) continue;
    if (earliest == nullptr) earliest = &backup;
    if (!wanted || time_in(backup.manifest.moment) <= *wanted) found = &backup;
  }
  if (found != nullptr) return *found;
  if (earliest == nullptr) {
    const bool is_home = kind != kOtherDataBackup;
    throw Error(ErrorCode::kNotFound,
                backups.empty() ? "the repository has no backups"
                                : fmt::format("the repository has no backups of {}",
                                              is_home ? "homes" : "other data"),
                is_home ? "make one: coppice backup create --repo …"
                        : "make one: coppice backup create --pg-dump URL --files FOLDER --repo …");
  }
  throw Error(ErrorCode::kNotFound, fmt::format("there is no backup as old as {}", *at),
              "the earliest is of " + earliest->manifest.moment);
}

ChosenBackup open_backup(const RepositoryAddress& address, const std::optional<std::string>& id,
                         const std::optional<std::string>& at, ResultSink& sink,
                         std::string_view kind) {
  ChosenBackup chosen{open_repository(address, sink), {}, nullptr};
  chosen.backups = known_backups(*chosen.open.repository, sink);
  chosen.backup = &chosen_backup(chosen.backups, id, at, kind);
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
