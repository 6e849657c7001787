// Which rows of a restored home are not those of a backup.
//
// Model    A physical column is written once per row version: whatever backup of a home has the row
//          version must have the same cell. So what was restored is compared with the backup that
//          it was restored of, and with others of the same home.
// Units    Memory: 40 bytes a row; tables of more than kMostRowsCompared rows are not looked at.
// Threads  As the context.
// Errors   Those of the server and the repository.
// Source   docs/formats/backup.md, "Reading rows"
#pragma once

#include <string>
#include <vector>

#include "engine/context.h"
#include "recovery/open_repository.h"

namespace coppice::recovery {

inline constexpr std::uint64_t kMostRowsCompared = 4'000'000;

// The first of the current rows whose cells in these physical columns differ from what one of the
// backups says, as people name rows: "id = 3".
std::vector<std::string> differing_rows(engine::EngineContext& context,
                                        const repo::Repository& repository,
                                        const std::vector<const KnownBackup*>& backups,
                                        const catalog::TableInfo& table,
                                        const std::vector<std::string>& columns);

}  // namespace coppice::recovery
