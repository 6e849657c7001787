// Bisecting backups: the first one, and the first version of a table in it, of which an assertion
// does not hold.
//
// Model    It is taken to hold up to some point, and never again behind it: so half of what is left
//          falls away with each restore. Only scratch homes are made; the living one is not looked
//          at.
// Errors   kUsage when it does not hold at the good end, or holds at the bad one; those of a
//          restore.
#pragma once

#include "config/config.h"
#include "recovery/recovery.h"

namespace coppice::recovery {

BisectReport bisect_backups(const ConfigRequest& config, const BisectRequest& request,
                            ResultSink& sink);

}  // namespace coppice::recovery
