// Checking a repository: whether what its backups need is there, and is what was written.
//
// Model    kStructure reads manifests, indexes and trees, and compares indexes with the packs that
//          are there; kData also reads packs, and checks each blob in them. It goes on after each
//          damage, and says for each manifest whether it reaches anything of it. Nothing comes
//          from a cache, and nothing is changed.
// Units    Memory beside the index: 5 bytes a blob, 150 bytes a tree, and as many bytes of packs as
//          ParallelOptions says, or one pack. It reads the index for itself: the repository that
//          is given need not have it loaded.
// Threads  As the repository; reads with several threads.
// Errors   Those of the store for which it makes no sense to go on: kUnavailable and the like.
// Source   docs/formats/repository.md, "Reading"
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "repo/parallel.h"
#include "repo/repository.h"

namespace coppice::repo {

struct CheckOptions {
  enum class Level { kStructure, kData };
  Level level = Level::kStructure;
  // Of kData, which packs: each with a chance, and those of the k-th of n parts, from 0. The parts
  // are by the packs' names, so that n runs read everything.
  double share = 1.0;
  std::uint32_t part = 0, part_count = 1;
  ParallelOptions parallel;
  // Called, by one thread at a time, with the bytes of packs that were read and are to be read.
  std::function<void(std::uint64_t done, std::uint64_t all)> progress;
};

// Of one damage, so many blobs are named.
inline constexpr std::size_t kMostNamedBlobs = 1'000;

struct CheckedManifest {
  ObjectId id;
  std::int64_t modified_us = 0;
  bool affected = false;  // something that it reaches cannot be read
};

struct CheckReport {
  std::vector<Damage> damages;             // object, what is wrong, blobs that are lost with it
  std::vector<CheckedManifest> manifests;  // in the order of their time
  // That no index names: a crash left them, or a backup is writing them now. No damage.
  std::vector<ObjectInfo> unindexed;
  std::uint64_t indexes = 0, packs = 0, trees = 0;  // that were looked at
  std::uint64_t packs_read = 0, blobs_read = 0, bytes_read = 0;

  bool intact() const { return damages.empty(); }
};

CheckReport check(const Repository& repository, const CheckOptions& options = {});

}  // namespace coppice::repo
