#include "workers/process_pool.h"

#include "workers/evaluate_call.h"

namespace coppice {

ProcessPool::ProcessPool(ProcessPoolOptions options)
    : source_(std::make_unique<WorkerSource>(std::move(options))) {}

ProcessPool::~ProcessPool() = default;

BatchResult ProcessPool::evaluate(const std::vector<Fragment>& fragments, const Batch& batch,
                                  std::stop_token stop) {
  EvaluateCall call(*source_, fragments, batch);
  return call.run(stop);
}

int ProcessPool::running_workers() const { return source_->running(); }

}  // namespace coppice
