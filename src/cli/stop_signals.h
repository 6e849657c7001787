// StopSignals: Ctrl-C and SIGTERM as a wish to stop, for as long as the object lives.
//
// Model    The first signal asks the engine to stop as soon as it is safe; a second one ends the
//          process at once with exit code 130, as kill -9 would (nothing published is lost).
// Threads  One object at a time: signal handlers belong to the process.
#pragma once

#include <signal.h>

#include "engine/engine.h"

namespace coppice::cli {

class StopSignals {
 public:
  explicit StopSignals(Engine& engine);
  ~StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

 private:
  struct sigaction previous_interrupt_ {};
  struct sigaction previous_terminate_ {};
};

}  // namespace coppice::cli
