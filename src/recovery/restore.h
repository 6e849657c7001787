// Making a home of a backup.
//
// Model    The home is made in an empty folder, or one in which the same restore was interrupted:
//          what is done stays. Until it ends, a file named `restoring` in it keeps every other
//          command out. Then both roots are made of what is there, and compared with those of the
//          backup.
// Errors   kRefused for a home that is not empty; kIntegrity for what is damaged or differs; kBusy
//          for two restores at once.
// Source   docs/formats/backup.md
#pragma once

#include "config/config.h"
#include "recovery/recovery.h"

namespace coppice::recovery {

RestoreReport restore_home(const ConfigRequest& where, const RestoreRequest& request,
                           ResultSink& sink);

}  // namespace coppice::recovery
