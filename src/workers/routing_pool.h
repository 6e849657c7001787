// RoutingPool: one door to all places where functions run.
//
// Model    Each fragment goes to the pool that `route` names for its function; a fragment never
//          mixes functions of two pools. Whether a pool has processes, connections to a service or
//          neither is its own business. Fragments of several pools are evaluated one pool after
//          another, over the same batch.
// Threads  As FunctionPool, when `route` may be called from any thread. What it gives stays valid
//          for the call.
// Errors   Those of the pools and of `route`.
#pragma once

#include <functional>
#include <string>

#include "workers/pool.h"

namespace coppice {

class RoutingPool final : public FunctionPool {
 public:
  // The pool for calls of a function, by Signature::id.
  using Route = std::function<FunctionPool&(const std::string& function)>;

  explicit RoutingPool(Route route) : route_(std::move(route)) {}

  BatchResult evaluate(const std::vector<Fragment>& fragments, const Batch& batch,
                       std::stop_token stop) override;

 private:
  Route route_;
};

}  // namespace coppice
