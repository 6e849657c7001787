// ReferencePool: a FunctionPool whose media arguments may be http(s) URLs.
//
// Model    Rows whose arguments are names go to the workers as they are. Where there are URLs, the
//          batch goes in pieces: their contents are fetched, several at a time, the URLs replaced
//          by the names of what is in the cache, and the contents held until the workers have
//          answered; while they work the next piece is fetched. A URL that cannot be used costs the
//          cells that read it: "fetch" (no such content, no answer), "changed", "decode".
// Units    A piece has at most kPieceReferences references, and about a quarter of the cache.
// Threads  As the context; one call at a time.
#pragma once

#include <memory>

#include "engine/context.h"
#include "workers/pool.h"

namespace coppice::engine {

inline constexpr std::size_t kPieceReferences = 64;

class ReferencePool final : public FunctionPool {
 public:
  ReferencePool(EngineContext& context, std::unique_ptr<FunctionPool> workers);

  BatchResult evaluate(const std::vector<Fragment>& fragments, const Batch& batch,
                       std::stop_token stop) override;

 private:
  EngineContext& context_;
  std::unique_ptr<FunctionPool> workers_;
};

}  // namespace coppice::engine
