// Repairing what indexes say: they name the packs that are there, and nothing else.
//
// Model    A pack tells by its own directory what is in it, so an index can always be made again.
//          An old index is removed when a new one has what was right in it.
// Threads  As the repository.
// Errors   Those of the store. What cannot be read is said in the report.
// Source   docs/formats/repository.md, "Packs" and "Reading"
#pragma once

#include <set>
#include <utility>
#include <vector>

#include "repo/repository.h"

namespace coppice::repo {

struct IndexRepair {
  std::uint64_t added_packs = 0;      // that no index named
  std::uint64_t dropped_packs = 0;    // that are not there
  std::uint64_t removed_indexes = 0;  // that were damaged, or named such packs
  std::vector<Damage> unreadable;     // packs whose directories are damaged: they stay as they are
};

// What is going to be removed is left alone. With `dry_run`, nothing is changed.
IndexRepair repair_index(Repository& repository, bool dry_run = false);

// The directory of a pack, by three small requests. Throws kIntegrity, naming the pack.
std::pair<IndexedPack, std::vector<PackEntry>> read_pack_directory(ObjectStore& store,
                                                                   const Keys& keys,
                                                                   const ObjectId& pack,
                                                                   std::uint64_t size_bytes);

// Replaces indexes, and loads them, until none names any of the packs: others may do the same with
// other packs at the same time.
void drop_from_indexes(Repository& repository, const std::set<ObjectId>& packs);

}  // namespace coppice::repo
