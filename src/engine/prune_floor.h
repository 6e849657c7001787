// Prune floor: the earliest version of a table that must stay, and why.
#pragma once

#include <string>

#include "engine/context.h"

namespace coppice::engine {

struct PruneFloor {
  std::int64_t version = 0;
  std::string held_by;  // "snapshot nightly", when it is lower than retention asks for
};

// In the transaction that holds the tree's lock, or just to tell. `keep` as config's
// is_retention().
PruneFloor find_prune_floor(EngineContext& context, const catalog::TableInfo& table,
                            const std::string& keep);

}  // namespace coppice::engine
