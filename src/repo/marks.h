// Marks: what a collection is going to remove.
//
// Threads  Safe from any thread.
// Errors   kIntegrity, naming the mark; those of the store.
// Source   docs/formats/repository.md, "Marks" and "Removing"
#pragma once

#include <optional>
#include <set>
#include <vector>

#include "repo/repository.h"

namespace coppice::repo {

struct Mark {
  ObjectId id;
  std::int64_t modified_us = 0;
  std::set<ObjectId> packs;
};

ObjectId write_mark(Repository& repository, const std::set<ObjectId>& packs);
std::vector<Mark> read_marks(const Repository& repository);
// Those of a listing. nullopt when one was carried out since.
std::optional<std::vector<Mark>> read_marks(const Repository& repository,
                                            const std::vector<ListedObject>& listed);
std::set<ObjectId> marked_packs(const std::vector<Mark>& marks);

// The time of the store's own clock.
std::int64_t store_time_us(ObjectStore& store);

}  // namespace coppice::repo
