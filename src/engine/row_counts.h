// How many rows tables have: counted where that is cheap, else PostgreSQL's estimate.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "engine/context.h"

namespace coppice::engine {

struct StoredSize {
  std::int64_t rows = 0;  // current ones
  bool is_estimate = false;
  std::int64_t size_bytes = 0;  // all versions, with indexes
};

// By table id. Tables whose store is larger than `counted_bytes` are estimated. Two round trips,
// and one for each estimate.
std::map<std::int64_t, StoredSize> stored_sizes(EngineContext& context, std::int64_t counted_bytes);

}  // namespace coppice::engine
