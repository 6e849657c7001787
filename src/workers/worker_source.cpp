#include "workers/worker_source.h"

#include <algorithm>

#include "base/error.h"

namespace coppice {
namespace {

SandboxOptions sandbox_of(const ProcessPoolOptions& options) {
  SandboxOptions sandbox;
  sandbox.files = system_paths();
  sandbox.files.push_back({options.media_folder, options.media_access});
  sandbox.files.insert(sandbox.files.end(), options.reachable.begin(), options.reachable.end());
  return sandbox;
}

int resolve_worker_count(int wanted) {
  if (wanted > 0) return wanted;
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

}  // namespace

ChildOptions worker_child_options(const ProcessPoolOptions& options) {
  ChildOptions child;
  child.argv = options.argv;
  child.environment = options.environment;
  child.clear_environment = true;
  child.account = options.account;
  child.input = child.output = child.errors = Pipe::kPipe;
  child.dies_with_parent = true;
  child.no_network = !options.network;
  child.no_new_privileges = true;
  child.folder = "/";
  if (options.memory_limit_bytes) child.memory_limit_bytes = *options.memory_limit_bytes;
  child.sandbox = sandbox_of(options);
#if defined(__SANITIZE_ADDRESS__)
  child.environment["LSAN_OPTIONS"] = "detect_leaks=0";  // it traces itself, which is refused
#endif
  return child;
}

StarterThread::StarterThread() : thread_([this] { run(); }) {}

StarterThread::~StarterThread() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

ChildProcess StarterThread::start(const ChildOptions& options) {
  Request request{options, {}, {}, {}, {}, false};
  {
    std::unique_lock lock(mutex_);
    requests_.push_back(&request);
    wake_.notify_one();
    done_.wait(lock, [&] { return request.done; });
  }
  if (!request.child) throw Error(request.code, request.message, request.hint);
  return std::move(*request.child);
}

void StarterThread::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [&] { return ending_ || !requests_.empty(); });
    if (requests_.empty()) return;
    Request& request = *requests_.front();
    requests_.pop_front();
    lock.unlock();
    fulfil(request);
    lock.lock();
    request.done = true;
    done_.notify_all();
  }
}

void StarterThread::fulfil(Request& request) {
  try {
    request.child = ChildProcess::start(request.options);
  } catch (const Error& error) {
    request.code = error.code();
    request.message = error.message();
    request.hint = error.hint();
  } catch (const std::exception& error) {
    request.message = error.what();
  }
}

WorkerSource::WorkerSource(ProcessPoolOptions options)
    : options_(std::move(options)), worker_count_(resolve_worker_count(options_.worker_count)) {
  COPPICE_ASSERT(!options_.argv.empty());
}

bool WorkerSource::take(bool may_start, std::unique_ptr<WorkerProcess>& worker) {
  if (!idle_.empty()) {
    // The one used last: its memory is warm, and one in the middle of starting stays behind.
    worker = std::move(idle_.back());
    idle_.pop_back();
  } else if (!may_start || lent_ >= worker_count_) {
    return false;
  }
  ++lent_;
  return true;
}

std::unique_ptr<WorkerProcess> WorkerSource::started(std::unique_ptr<WorkerProcess> worker) {
  try {
    if (worker && worker->broken_while_idle()) worker = nullptr;
    if (worker) return worker;
    return std::make_unique<WorkerProcess>(
        starter_.start(worker_child_options(options_)),
        EngineHello{kWorkerProtocolVersion, options_.media_folder.string(), kFrameLimitBytes});
  } catch (...) {
    free_place();
    throw;
  }
}

void WorkerSource::free_place() {
  {
    const std::lock_guard lock(mutex_);
    --lent_;
  }
  freed_.notify_all();
}

std::unique_ptr<WorkerProcess> WorkerSource::lease(std::stop_token stop) {
  std::unique_ptr<WorkerProcess> worker;
  {
    std::unique_lock lock(mutex_);
    const std::uint64_t ticket = ++last_ticket_;
    queue_.push_back(ticket);
    ++waiting_count_;
    const bool taken =
        freed_.wait(lock, stop, [&] { return queue_.front() == ticket && take(true, worker); });
    queue_.erase(std::find(queue_.begin(), queue_.end(), ticket));
    --waiting_count_;
    lock.unlock();
    freed_.notify_all();
    if (!taken) throw Error(ErrorCode::kInterrupted, "interrupted");
  }
  return started(std::move(worker));
}

std::unique_ptr<WorkerProcess> WorkerSource::try_lease(bool may_start) {
  std::unique_ptr<WorkerProcess> worker;
  {
    const std::lock_guard lock(mutex_);
    if (!queue_.empty() || !take(may_start, worker)) return nullptr;
  }
  return started(std::move(worker));
}

void WorkerSource::give_back(std::unique_ptr<WorkerProcess> worker) {
  {
    const std::lock_guard lock(mutex_);
    --lent_;
    const bool ready = worker->ready();
    idle_.insert(ready ? idle_.end() : idle_.begin(), std::move(worker));
  }
  freed_.notify_all();
}

void WorkerSource::discard(std::unique_ptr<WorkerProcess> worker) {
  worker = nullptr;
  free_place();
}

int WorkerSource::running() const {
  const std::lock_guard lock(mutex_);
  return lent_ + static_cast<int>(idle_.size());
}

}  // namespace coppice
