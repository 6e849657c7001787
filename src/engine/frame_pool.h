// FramePool: a FunctionPool whose image arguments may be frames of videos that are not stored.
//
// Model    Built-in functions read a frame by its name (media/frame_name.h). Functions of users,
//          programs and services want a file: before a batch goes to them its frames are decoded by
//          the built-in workers, in the order they have in their videos, and become objects of the
//          store; nothing names those, so the collection of media takes them when it is time. A
//          frame that cannot be decoded costs the cells that read it.
// Threads  As the pool behind it.
#pragma once

#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "workers/pool.h"

namespace coppice::engine {

class FramePool final : public FunctionPool {
 public:
  // `builtin` is borrowed.
  FramePool(std::unique_ptr<FunctionPool> behind, FunctionPool& builtin)
      : behind_(std::move(behind)), builtin_(builtin) {}

  BatchResult evaluate(const std::vector<Fragment>& fragments, const Batch& batch,
                       std::stop_token stop) override;
  BatchResult evaluate_watched(const std::vector<Fragment>& fragments, const Batch& batch,
                               CallWatcher& watcher, std::stop_token stop) override;

 private:
  std::unique_ptr<FunctionPool> behind_;
  FunctionPool& builtin_;
};

bool is_frame(const Value& value);

// The objects that frames become, by the workers of `builtin`, in the order of `frames`.
std::vector<Cell> store_frames(FunctionPool& builtin, const std::vector<std::string>& frames,
                               const std::stop_token& stop);
// One of them; throws kNotFound or kComputation when it cannot be decoded.
std::string stored_frame(FunctionPool& builtin, const std::string& frame,
                         const std::stop_token& stop);

}  // namespace coppice::engine
