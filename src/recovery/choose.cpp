#include "recovery/choose.h"

#include <fmt/core.h>

#include "base/error.h"
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

}  // namespace coppice::recovery
