// The words that name a repository of backups, and its key: --repo, --password-file, ….
//
// Errors   kUsage for several keys, or an empty one; what reading a secret throws.
#pragma once

#include "cli/session.h"
#include "recovery/recovery.h"

namespace coppice::cli {

// Of the command, else of the settings. A key that is nowhere is none: the repository refuses.
RepositoryAddress named_repository(Session& session);

}  // namespace coppice::cli
