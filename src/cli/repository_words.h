// The words that name a repository of backups, and its key: --repo, --password-file, ….
//
// Errors   kUsage for several keys, or an empty one; what reading a secret throws.
#pragma once

#include "cli/session.h"
#include "recovery/recovery.h"

namespace coppice::cli {

// Of the command, else of the settings. A key that is nowhere is none: the repository refuses.
RepositoryAddress named_repository(Session& session);

// A second repository, after the option `name` ("--to"): its key is in options that begin with that
// name ("--to-key-file"), else that of the first.
RepositoryAddress other_repository(Session& session, const std::string& name,
                                   const RepositoryAddress& first);
bool has_own_key(Session& session, const std::string& name);

}  // namespace coppice::cli
