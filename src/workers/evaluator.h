// FragmentEvaluator: what a function worker does, without the protocol around it.
//
// Model    open() is called once, before the first row, with the folder of the media store.
//          evaluate_row() is given the fragments of a batch and one value per argument column and
//          returns one cell per fragment, in their order. What is common to several fragments of
//          one row (a decoded image) may be kept for that row.
// Threads  A worker calls it from one thread.
// Errors   What goes wrong with one value is a CellFailure in the result. An exception out of
//          evaluate_row() becomes a CellFailure of type "internal" in every cell of the row; out
//          of open() it ends the worker.
// Source   docs/formats/worker_protocol.md; workers/serve.h calls it.
#pragma once

#include <filesystem>
#include <vector>

#include "workers/value.h"

namespace coppice {

class FragmentEvaluator {
 public:
  virtual ~FragmentEvaluator() = default;
  // `media_folder` is HOME/media: read objects there, store new ones through MediaStore.
  virtual void open(const std::filesystem::path& media_folder) = 0;
  virtual std::vector<Cell> evaluate_row(const std::vector<Fragment>& fragments,
                                         const std::vector<Value>& arguments) = 0;
};

}  // namespace coppice
