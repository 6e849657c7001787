// The sweep over HOME/functions: copies of code that nothing needs any more.
//
// Model    A copy is needed by the versions of functions that hold now, by those that computed
// cells
//          which are still there, and by versions that an operation may run that has not ended.
//          The rest goes when it is older than the grace period: a copy is made, or marked as
//          new, before its function is known.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/context.h"

namespace coppice::engine {

struct UnusedCode {
  std::string digest;  // the folder's name
  std::uintmax_t size_bytes = 0;
};

// Those that have not changed since `before_us`, by name.
std::vector<UnusedCode> unused_code(EngineContext& context, std::int64_t before_us);

// Removes a copy; false when it is gone already, or needed again. Throws kIo.
bool remove_code(EngineContext& context, const UnusedCode& code, std::int64_t before_us);

}  // namespace coppice::engine
