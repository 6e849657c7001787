// FunctionPool: where engine functions are evaluated.
//
// Model    evaluate() gives a batch to function workers and returns a cell for every fragment and
//          row. A worker that crashes, hangs or answers garbage costs the row it was at and is
//          replaced. NULL in gives NULL out: a call with a NULL argument is NULL.
// Threads  Every method may be called from any thread; calls share the workers.
// Errors   Throws Error only when no worker can be started, or kInterrupted when stop is requested;
//          what goes wrong with a row is a CellFailure.
#pragma once

#include <stop_token>
#include <vector>

#include "workers/value.h"

namespace coppice {

class FunctionPool {
 public:
  virtual ~FunctionPool() = default;
  virtual BatchResult evaluate(const std::vector<Fragment>& fragments, const Batch& batch,
                               std::stop_token stop) = 0;
};

}  // namespace coppice
