// EngineFactory: the way the command line comes by an engine; tests give it a false one.
//
// Threads  One thread.
#pragma once

#include <memory>

#include "engine/engine.h"
#include "recovery/recovery.h"

namespace coppice::cli {

class EngineFactory {
 public:
  virtual ~EngineFactory() = default;
  // The three static functions of Engine.
  virtual void init(const Config& config, ResultSink& sink) = 0;
  virtual std::unique_ptr<Engine> open(const Config& config) = 0;
  virtual bool stop_server(const Config& config) = 0;
  virtual std::unique_ptr<Recovery> recovery() = 0;
};

}  // namespace coppice::cli
