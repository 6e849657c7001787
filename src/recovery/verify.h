// Verifying the backups of a repository.
//
// Model    Structure: all that the backups need is there. Data: every blob is what was written.
//          Rows: the sums of the rows are those that the backup's roots were made of.
// Errors   Those of the store. What is damaged is in the report.
#pragma once

#include "recovery/recovery.h"

namespace coppice::recovery {

VerifyReport verify_backups(const VerifyRequest& request, ResultSink& sink);

}  // namespace coppice::recovery
