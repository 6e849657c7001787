// Drills: a backup is restored into a scratch home, proven, asked, measured, and the home removed.
//
// Model    Only the repository and its key are used: the living home is not looked at. The loss
//          window is from the newest version in the backup until the drill began.
// Errors   As a restore's. A drill that ran, and did not pass, is a report.
#pragma once

#include "config/config.h"
#include "recovery/recovery.h"

namespace coppice::recovery {

DrillReport run_drill(const ConfigRequest& config, const DrillRequest& request, ResultSink& sink);

}  // namespace coppice::recovery
