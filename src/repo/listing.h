// Listing: what a repository has beside packs, by one request.
//
// Model    The store lists folders in their order: when it says which indexes there are, it has
//          said which backups and marks there were before. So what a mark of the listing does not
//          name, and an index of it does, was not being removed.
// Threads  Immutable once made.
// Errors   Those of the store.
// Source   docs/formats/repository.md, "Objects" and "Writing"
#pragma once

#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "objects/object_store.h"
#include "repo/ids.h"

namespace coppice::repo {

struct ListedObject {
  ObjectId id;
  std::uint64_t size_bytes = 0;
  std::int64_t modified_us = 0;
};

struct Listing {
  std::vector<ListedObject> backups, marks, indexes, drills, signing, confirmations, holds;
  std::vector<std::string> keys, epochs;  // names
  // When it was asked for.
  std::chrono::steady_clock::time_point at{};
};

// Objects of other names are no part of a repository.
Listing list_repository(ObjectStore& store);
// Every pack.
std::map<ObjectId, ObjectInfo> list_packs(ObjectStore& store);

}  // namespace coppice::repo
