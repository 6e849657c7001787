// Drills: a backup is restored into a scratch home, proven, asked, measured, and the home removed.
//
// Model    Only the repository and its key are used: the living home is not looked at, but told of
//          the outcome at the end, if the backup is one of its own. The loss window is from the
//          newest version in the backup until the drill began. A signed report stays in the
//          repository, also of a restore that failed.
// Errors   What keeps it from beginning: no such backup, no repository. A drill that began, and did
//          not pass, is a report.
// Source   docs/formats/drill_report.md
#pragma once

#include "config/config.h"
#include "recovery/recovery.h"

namespace coppice::recovery {

DrillReport run_drill(const ConfigRequest& config, const DrillRequest& request, ResultSink& sink);

}  // namespace coppice::recovery
