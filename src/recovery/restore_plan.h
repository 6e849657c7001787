// What a restore would read, how long it may take, and what would be lost. Nothing is written.
//
// Model    Bytes are those that the index of the repository says. How fast they are read is
//          measured on some of them; how fast a database takes rows is assumed, and told; where the
//          repository has a drill, its time counts instead. What was published since is asked of
//          the living home, if its database answers: none is started.
#pragma once

#include "config/config.h"
#include "recovery/recovery.h"

namespace coppice::recovery {

RestorePlan plan_restore(const ConfigRequest& where, const RestoreRequest& request,
                         ResultSink& sink);

}  // namespace coppice::recovery
