// Two repositories: copying backups from one to the other, and repairing one of the other.
//
// Errors   kUsage when both are the same; those of both. What could not be copied or repaired is in
//          the report.
// Source   docs/formats/repository.md, "Copies" and "Repair"
#pragma once

#include "recovery/recovery.h"

namespace coppice::recovery {

CopyReport copy_backups(const CopyRequest& request, ResultSink& sink);
BackupRepairReport repair_repository(const RepairRequest& request, ResultSink& sink);

}  // namespace coppice::recovery
