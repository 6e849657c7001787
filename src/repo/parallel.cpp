#include "repo/parallel.h"

#include <algorithm>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

namespace coppice::repo {
namespace {

class Pieces {
 public:
  Pieces(std::size_t count, std::uint64_t most_bytes,
         const std::function<std::uint64_t(std::size_t)>& bytes_of,
         const std::function<void(std::size_t)>& work)
      : count_(count), most_bytes_(most_bytes), bytes_of_(bytes_of), work_(work) {}

  // Until nothing is left to begin.
  void run() {
    std::unique_lock lock(mutex_);
    while (next_ < count_ && !failure_) {
      const std::size_t piece = next_++;
      const std::uint64_t bytes = bytes_of_(piece);
      room_.wait(lock, [&] { return under_way_ == 0 || bytes_ + bytes <= most_bytes_; });
      ++under_way_;
      bytes_ += bytes;
      lock.unlock();
      std::exception_ptr failure;
      try {
        work_(piece);
      } catch (...) {
        failure = std::current_exception();
      }
      lock.lock();
      --under_way_;
      bytes_ -= bytes;
      if (failure && !failure_) failure_ = failure;
      room_.notify_all();
    }
  }
  void rethrow() const {
    if (failure_) std::rethrow_exception(failure_);
  }

 private:
  const std::size_t count_;
  const std::uint64_t most_bytes_;
  const std::function<std::uint64_t(std::size_t)>& bytes_of_;
  const std::function<void(std::size_t)>& work_;
  std::mutex mutex_;
  std::condition_variable room_;
  std::size_t next_ = 0, under_way_ = 0;
  std::uint64_t bytes_ = 0;
  std::exception_ptr failure_;
};

}  // namespace

void for_each_parallel(std::size_t count, const ParallelOptions& options,
                       const std::function<std::uint64_t(std::size_t)>& bytes_of,
                       const std::function<void(std::size_t)>& work) {
  Pieces pieces(count, options.bytes, bytes_of, work);
  std::vector<std::thread> threads;
  try {
    const std::size_t wanted = std::min<std::size_t>(count, options.threads);
    while (threads.size() + 1 < wanted) threads.emplace_back([&] { pieces.run(); });
  } catch (const std::system_error&) {
    // Those that there are do it.
  }
  pieces.run();
  for (std::thread& thread : threads) thread.join();
  pieces.rethrow();
}

}  // namespace coppice::repo
