// Repairing a repository: what is damaged or missing is made again, of what another one has, or of
// what is left.
//
// Model    What is damaged is found as check() finds it, reading all. An object that is damaged is
//          replaced by the same of the other repository, when both have the same id key and it is
//          good there. What is left is looked for blob by blob: in other packs, in the other
//          repository, decrypted; and written to new packs, and the damaged pack goes when all that
//          is needed of it is elsewhere. Indexes are made again of packs. A good object is never
//          changed or removed; a call that was killed is repeated.
// Units    Memory: as check(), and 32 bytes for each blob that is reached.
// Threads  One thread calls. Backups may be made meanwhile; collections should not.
// Errors   Those of both stores. What could not be repaired is in the report.
// Source   docs/formats/repository.md, "Repair"
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "repo/check.h"
#include "repo/repository.h"

namespace coppice::repo {

struct RepairOptions {
  ParallelOptions parallel;
  std::function<void(std::uint64_t done, std::uint64_t all)> progress;  // of what is read
};

struct Repaired {
  std::string object;
  std::string how;  // "copied from the folder /mirror"
};

struct RepairReport {
  std::vector<Damage> found;  // before
  std::vector<Repaired> repaired;
  std::vector<Damage> left;            // what is damaged still, and why
  std::vector<ObjectId> elsewhere;     // backups of the other repository that this one lacks:
                                       // forgotten here, or lost
  std::uint64_t blobs = 0, bytes = 0;  // that were written again, or copied
};

// `from`: nullptr when there is no other; its index is loaded.
RepairReport repair(Repository& repository, Repository* from, const RepairOptions& options = {});

}  // namespace coppice::repo
