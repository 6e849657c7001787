// Which parts of a backup cannot be read: what a damaged object of the repository means to people.
//
// Model    Everything that the backup has is read once.
// Threads  One thread.
// Errors   Those of the store, but what is damaged or missing.
#pragma once

#include <string>
#include <vector>

#include "recovery/open_repository.h"

namespace coppice::recovery {

// "films.film: packs/…: …", "functions/<digest>/captions.py: …", "media:<digest>.jpg: …; used by
// …".
std::vector<std::string> damaged_parts(const repo::Repository& repository,
                                       const KnownBackup& backup);

}  // namespace coppice::recovery
