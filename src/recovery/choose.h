// Which of the backups of a repository is meant.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "recovery/open_repository.h"

namespace coppice::recovery {

// `id`: of it; `at`: the newest one whose point is not later ("2026-11-22 10:00+00"); none: the
// latest. kNotFound, saying what there is.
// Of one kind; empty: of any. kUsage for an id of another kind.
const KnownBackup& chosen_backup(const std::vector<KnownBackup>& backups,
                                 const std::optional<std::string>& id,
                                 const std::optional<std::string>& at,
                                 std::string_view kind = kHomeBackup);
// kUsage for a backup of another kind.
void check_kind(const KnownBackup& backup, std::string_view kind = kHomeBackup);

// An open repository, and the one of its backups that is to be restored.
struct ChosenBackup {
  OpenRepository open;
  std::vector<KnownBackup> backups;
  const KnownBackup* backup = nullptr;  // of those
};
// As chosen_backup(); kNewerFormat when this program does not know its catalog.
ChosenBackup open_backup(const RepositoryAddress& address, const std::optional<std::string>& id,
                         const std::optional<std::string>& at, ResultSink& sink,
                         std::string_view kind = kHomeBackup);

// kNewerFormat for a backup whose catalog this program does not know.
void check_catalog_format(const Manifest& manifest);

}  // namespace coppice::recovery
