// WorkerProcess: one running function worker, seen from the engine.
//
// Model    Frames to send are queued and written as the pipe takes them; what the worker prints to
//          standard error is kept up to 8 KiB. Nothing here waits: the caller polls the
//          descriptors and calls flush(), receive() and drain_errors() when they are ready.
// Threads  Belongs to one thread at a time.
// Errors   next_message() throws Error{kInvalidInput} for bytes that are no message.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "base/process.h"
#include "workers/protocol.h"

namespace coppice {

class WorkerProcess {
 public:
  WorkerProcess(ChildProcess child, const EngineHello& hello);

  int input_fd() const { return child_.input_fd(); }
  int output_fd() const { return child_.output_fd(); }
  int errors_fd() const { return errors_open_ ? child_.errors_fd() : -1; }

  // True once the worker has said hello in our version.
  bool ready() const { return ready_; }
  void set_ready() { ready_ = true; }
  std::chrono::steady_clock::time_point started() const { return started_; }

  // The frames queued after this are appended to this string.
  std::string& outgoing() { return outgoing_; }
  bool has_outgoing() const { return sent_ < outgoing_.size(); }
  // Writes what the pipe takes; false when the worker no longer reads.
  bool flush();
  // Reads what is there; false when the worker has closed its output.
  bool receive();
  void drain_errors();
  std::optional<Message> next_message();
  // True when it died or wrote something while nobody had asked for anything.
  bool broken_while_idle();

  // Reaps it and says how it ended: "was killed by signal 11 (Segmentation fault)". One that has
  // not closed its output by itself is killed.
  std::string end();
  // The last lines of its standard error, as printable ASCII; empty when there are none.
  std::string last_words() const;

 private:
  ChildProcess child_;
  FrameBuffer frames_;
  std::string outgoing_;
  std::size_t sent_ = 0;
  std::string errors_;
  bool errors_open_ = true;
  bool output_open_ = true;
  bool ready_ = false;
  std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
};

}  // namespace coppice
