// Collecting what no backup reaches: marking, and sweeping what was marked long enough ago.
//
// Model    Both may run at any time, beside backups and each other, and be ended at any point: what
//          they leave is a repository, and the next one goes on.
// Units    Bytes are of objects as they are stored.
// Threads  As the repository.
// Errors   kIntegrity when something that says what is reached is damaged: then nothing is marked
//          or removed. Those of the store.
// Source   docs/formats/repository.md, "Removing"
#pragma once

#include <chrono>
#include <cstdint>

#include "repo/repository.h"

namespace coppice::repo {

struct CollectOptions {
  // How old a mark, or a pack that nothing reaches, must be. Less than a backup takes only when
  // nobody makes one.
  std::chrono::seconds wait = std::chrono::hours(24);
  // A pack with a larger share of dead bytes is written again without them.
  double dead_share = 0.3;
  bool dry_run = false;
};

struct CollectCounts {
  std::uint64_t packs = 0;         // there are
  std::uint64_t marked_packs = 0;  // to go from now on
  std::uint64_t marked_bytes = 0;
  std::uint64_t rewritten_bytes = 0;  // of blobs, out of packs that are to go
  std::uint64_t removed_packs = 0;
  std::uint64_t removed_bytes = 0;
  std::uint64_t kept_packs = 0;  // were marked, and are needed
};

CollectCounts mark_garbage(Repository& repository, const CollectOptions& options);
CollectCounts sweep_garbage(Repository& repository, const CollectOptions& options);

}  // namespace coppice::repo
