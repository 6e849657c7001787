// Making a backup of a home: rows, catalog, media, code and configuration at one point.
//
// Model    One short transaction fixes the point; rows are read as of it, in transactions of their
//          own, while writers go on. A pin keeps prune from taking what is still to be read. What
//          an earlier backup of the home has is named, not read again. When tables are dropped
//          again and again while they are read, they are locked against that in the end.
// Errors   Those of the home and the repository.
// Source   docs/formats/backup.md
#pragma once

#include "config/config.h"
#include "recovery/recovery.h"

namespace coppice::recovery {

BackupReport create_backup(const Config& config, const BackupRequest& request, ResultSink& sink);

}  // namespace coppice::recovery
