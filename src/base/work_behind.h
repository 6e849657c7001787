// WorkBehind: one piece of work at a time on a thread of its own, while the caller goes on.
//
// Model    start() begins a piece of work, finish() waits for it and throws what it threw. What is
//          thrown stays until finish() is called; without that it is lost.
// Threads  One thread calls it. The work must not use what that thread uses until wait() or
//          finish() has returned.
#pragma once

#include <functional>
#include <future>

namespace coppice {

class WorkBehind {
 public:
  WorkBehind() = default;
  // Waits; what the work threw is lost.
  ~WorkBehind() { wait(); }
  WorkBehind(const WorkBehind&) = delete;
  WorkBehind& operator=(const WorkBehind&) = delete;

  // The piece before it must have been finished.
  void start(std::function<void()> work) {
    finish();
    work_ = std::async(std::launch::async, std::move(work));
  }
  void wait() const noexcept {
    if (work_.valid()) work_.wait();
  }
  void finish() {
    if (work_.valid()) work_.get();
  }

 private:
  std::future<void> work_;
};

}  // namespace coppice
