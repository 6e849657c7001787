// MediaEvaluator: evaluates fragments of built-in engine functions; what coppice-media serves.
//
// Model    Within a row, what fragments have in common is computed once, a medium is opened once,
//          and what lies between two calls stays decoded. Media that are results of a fragment are
//          put into the store; those in between are not.
// Errors   Every failure of a call is a CellFailure whose message begins with the function's name;
//          a call on a failed argument fails with the argument's failure. An Error of the store
//          becomes a CellFailure with the code's name ("disk_full").
// Threads  Used by one thread.
#pragma once

#include <memory>

#include "workers/evaluator.h"

namespace coppice::functions {

class MediaEvaluator final : public FragmentEvaluator {
 public:
  // Limits come from the environment: see functions/limits.h.
  MediaEvaluator();
  ~MediaEvaluator() override;

  void open(const std::filesystem::path& media_folder) override;
  std::vector<Cell> evaluate_row(const std::vector<Fragment>& fragments,
                                 const std::vector<Value>& arguments) override;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace coppice::functions
