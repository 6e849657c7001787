// ProcessPool: function workers as child processes.
//
// Model    A call cuts its batch into chunks and keeps the workers it has leased busy with them;
//          chunks grow until one takes about 50 ms. Workers are started when first needed, stay
//          for later calls, and are handed round in the order of asking when several calls run at
//          once. The row that a worker dies, hangs or answers nonsense at becomes a CellFailure
//          ("crash", "timeout", "protocol"); the other rows of its chunk go to another worker.
// Sandbox  A worker runs as `account` (when we are root), with a cleared environment, without
//          network, without new privileges, under an address-space limit, and dies with us. It may
//          write in the media folder (or read it), what `reachable` says and what programs need of
//          the system, and reaches other files and sockets as little as the machine allows
//          (docs/decisions/0004-worker-sandbox.md says what is left).
// Threads  Every method may be called from any thread. Workers are started by a thread of the
//          pool's own, because "dies with its parent" follows the thread that started a process.
// Errors   Throws kUnavailable with its last words when the program dies at start again and again,
//          kNotFound when there is no such program, kUnsupported for too deep an expression.
// Source   docs/formats/worker_protocol.md
#pragma once

#include <chrono>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/process.h"
#include "workers/pool.h"

namespace coppice {

struct ProcessPoolOptions {
  std::vector<std::string> argv;  // the worker program and its arguments
  int worker_count = 0;           // at most so many processes; 0 is one per core
  std::filesystem::path media_folder;
  std::vector<SandboxPath> reachable;  // beside the media; only what is there at its start
  FileAccess media_access = FileAccess::kWrite;
  std::optional<Account> account;
  std::optional<std::uint64_t> memory_limit_bytes;  // address space of one worker
  std::chrono::milliseconds row_timeout{60'000};
  std::chrono::milliseconds start_timeout{30'000};
  std::map<std::string, std::string> environment;  // added to PATH, LANG, LC_* and TZ
  bool network = false;
  // A worker may hold results back and answer late: the row that a crash, a hang or nonsense
  // belongs to is then found by asking again for each row of the last `batch_rows` alone.
  bool answers_late = false;
  std::size_t batch_rows =
      1;  // of a function that takes so many rows at once: chunks are multiples
};

// How a worker is started; for doctor, which tries what that protects.
ChildOptions worker_child_options(const ProcessPoolOptions& options);

class WorkerSource;

class ProcessPool final : public FunctionPool {
 public:
  explicit ProcessPool(ProcessPoolOptions options);
  // Ends every worker. No call may be running.
  ~ProcessPool() override;

  BatchResult evaluate(const std::vector<Fragment>& fragments, const Batch& batch,
                       std::stop_token stop) override;

  // Processes that are running now; for status and tests.
  int running_workers() const;

 private:
  std::unique_ptr<WorkerSource> source_;
};

}  // namespace coppice
