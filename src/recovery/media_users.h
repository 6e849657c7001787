// Which cells of a backup name a media object: asked of the backup alone, without a database.
//
// Threads  One thread.
// Errors   None: what cannot be read is said in the answer.
#pragma once

#include <string>

#include "recovery/open_repository.h"

namespace coppice::recovery {

// `what` with the cells that use the media objects which it names, "…; used by films.film.p of the
// row id = 3"; as it is when it names none.
std::string with_users(const repo::Repository& repository, const KnownBackup& backup,
                       const std::string& what);

}  // namespace coppice::recovery
