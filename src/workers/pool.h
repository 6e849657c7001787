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
#include <utility>
#include <vector>

#include "base/money.h"
#include "workers/value.h"

namespace coppice {

// What whoever asked for calls is told while they are made, from the thread that evaluates.
class CallWatcher {
 public:
  virtual ~CallWatcher() = default;
  // The last of the calls have begun: there is room for others. At most once; not every pool can
  // tell.
  virtual void all_begun() = 0;
  // What calls have cost; any number of times.
  virtual void cost(const Money& money) = 0;
};

class Unwatched final : public CallWatcher {
 public:
  void all_begun() override {}
  void cost(const Money&) override {}
};

class FunctionPool {
 public:
  virtual ~FunctionPool() = default;
  virtual BatchResult evaluate(const std::vector<Fragment>& fragments, const Batch& batch,
                               std::stop_token stop) = 0;
  // As evaluate(); the watcher hears of the calls. Pools that spend money override it, and those
  // in front of others.
  virtual BatchResult evaluate_watched(const std::vector<Fragment>& fragments, const Batch& batch,
                                       CallWatcher& watcher, std::stop_token stop) {
    static_cast<void>(watcher);
    return evaluate(fragments, batch, std::move(stop));
  }
};

}  // namespace coppice
