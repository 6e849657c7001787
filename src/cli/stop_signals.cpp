#include "cli/stop_signals.h"

#include <unistd.h>

#include <atomic>

namespace coppice::cli {
namespace {

// A signal handler has no argument of ours: these two are the only way to reach it.
std::atomic<Engine*> stoppable_engine = nullptr;
std::atomic<int> signals_seen = 0;

void on_signal(int) {
  constexpr int kInterruptedExit = 130;
  Engine* engine = stoppable_engine.load();
  if (engine == nullptr || signals_seen.fetch_add(1) > 0) ::_exit(kInterruptedExit);
  engine->request_stop();
}

}  // namespace

StopSignals::StopSignals(Engine& engine) {
  signals_seen = 0;
  stoppable_engine = &engine;
  struct sigaction action {};
  action.sa_handler = on_signal;
  sigemptyset(&action.sa_mask);
  ::sigaction(SIGINT, &action, &previous_interrupt_);
  ::sigaction(SIGTERM, &action, &previous_terminate_);
}

StopSignals::~StopSignals() {
  ::sigaction(SIGINT, &previous_interrupt_, nullptr);
  ::sigaction(SIGTERM, &previous_terminate_, nullptr);
  stoppable_engine = nullptr;
}

}  // namespace coppice::cli
