// JobProgress: how far an operation is, for those who wait for it and those who look at it.
//
// Model    found() says how many rows are still to be done, done() that some are: in the
//          transaction that stores them, so that the figures are as durable as the rows. The
//          database keeps samples of the last half minute; the rate is that of this window, over
//          all processes that work on the operation, and the same wherever it is shown.
// Units    Rows, and rows a second; a row that is computed in two rounds counts twice.
#pragma once

#include <string>

#include "engine/context.h"

namespace coppice::engine {

class JobProgress {
 public:
  JobProgress(EngineContext& context, const catalog::Operation& operation, std::string what,
              ResultSink& sink)
      : context_(context), operation_(operation), sink_(sink) {
    progress_.what = std::move(what);
  }

  void found(std::int64_t rows) { note(0, rows); }
  void done(std::int64_t rows) { note(rows, 0); }
  // Tells the sink, after the transaction of done().
  void tell() { sink_.progress(progress_); }

 private:
  void note(std::int64_t done, std::int64_t found);

  EngineContext& context_;
  const catalog::Operation& operation_;
  ResultSink& sink_;
  Progress progress_;
};

}  // namespace coppice::engine
