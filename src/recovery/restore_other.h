// Restoring other people's data: files below a folder, a dump into an empty database.
//
// Errors   kUsage when neither is asked for, or the backup has it not; those of both restores.
#pragma once

#include "recovery/recovery.h"

namespace coppice::recovery {

OtherRestoreReport restore_other_data(const OtherRestoreRequest& request, ResultSink& sink);

}  // namespace coppice::recovery
