// Media objects that a living home has lost, of its backups.
//
// Model    What any version of any row, a stage or a kept result names is looked for, and its bytes
//          are compared with its name. Writers go on meanwhile.
// Errors   Those of the repository and the home. What no backup has is told, and not thrown.
#pragma once

#include "config/config.h"
#include "recovery/recovery.h"

namespace coppice::recovery {

MediaRestoreReport restore_media(const Config& config, const MediaRestoreRequest& request,
                                 ResultSink& sink);

}  // namespace coppice::recovery
