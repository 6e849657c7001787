// What a home knows by itself of its backups and drills, against its objectives.
//
// Model    Only the catalog is asked: a repository may be far away. So a backup that another
//          program made, or that was forgotten since, is not known of. One round trip.
#pragma once

#include "engine/context.h"
#include "engine/engine.h"

namespace coppice::engine {

BackupStatus read_backup_status(EngineContext& context);

}  // namespace coppice::engine
