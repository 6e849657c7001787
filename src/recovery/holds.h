// Holds: backups that are not to be forgotten, whatever the rules say, until they are released.
//
// Model    A hold is an object of the repository, so it counts for everybody who uses it.
// Errors   kIntegrity for a hold that cannot be read: which backup it holds, nobody knows.
// kNotFound
//          and kUsage for ids; kRefused for what is held.
// Source   docs/formats/repository.md, "Holds"
#pragma once

#include <map>
#include <string>

#include "recovery/open_repository.h"

namespace coppice::recovery {

struct Hold {
  repo::ObjectId object;  // that says it
  std::string note, by, host, held_at;
  std::string text() const;  // "since … by … on …: the note"
};
using Holds = std::multimap<repo::ObjectId, Hold>;  // by backup

Holds read_holds(const repo::Repository& repository);

// Both give the id of the backup.
std::string hold_backup(const HoldRequest& request, ResultSink& sink);
// kRefused when nobody holds it.
std::string release_backup(const HoldRequest& request, ResultSink& sink);

}  // namespace coppice::recovery
