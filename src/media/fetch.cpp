#include "media/fetch.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <thread>

namespace coppice {
namespace {

// Whether the error says something about the reference rather than about this machine.
bool is_about_reference(ErrorCode code) {
  switch (code) {
    case ErrorCode::kNotFound:
    case ErrorCode::kRefused:
    case ErrorCode::kUnavailable:
    case ErrorCode::kInvalidInput:
    case ErrorCode::kBusy:
      return true;
    default:
      return false;
  }
}

class Fetching {
 public:
  Fetching(UrlCache& cache, const std::vector<WantedContent>& wanted, const FetchLimits& limits)
      : cache_(cache), wanted_(wanted), limits_(limits), results_(wanted.size()) {}

  std::vector<FetchedContent> run(const std::stop_token& stop) {
    const std::stop_callback forward(stop, [this] { stop_.request_stop(); });
    {
      const std::size_t threads =
          std::min(static_cast<std::size_t>(std::max(limits_.connections, 1)), wanted_.size());
      std::vector<std::jthread> helpers;
      for (std::size_t i = 1; i < threads; ++i) helpers.emplace_back([this] { work(); });
      work();
    }
    if (failure_) std::rethrow_exception(failure_);
    std::vector<FetchedContent> front;
    for (std::optional<FetchedContent>& result : results_) {
      if (!result) break;
      front.push_back(std::move(*result));
    }
    return front;
  }

 private:
  // What is held only grows: once a reference is left for later, so are all after it.
  bool is_full(std::size_t index) const {
    return index >= limits_.at_least && held_bytes_ >= limits_.held_bytes;
  }

  void work() {
    try {
      for (std::size_t i = next_++; i < wanted_.size() && !is_full(i); i = next_++) fetch(i);
    } catch (...) {
      const std::lock_guard lock(mutex_);
      if (!failure_) failure_ = std::current_exception();
      stop_.request_stop();
    }
  }

  void fetch(std::size_t index) {
    const WantedContent& wanted = wanted_[index];
    try {
      std::optional<CachedObject> object;
      if (wanted.known) object = cache_.find(wanted.url, *wanted.known);
      if (!object) object = cache_.fetch(wanted.url, stop_.get_token(), wanted.ask);
      held_bytes_ += object->size_bytes;
      results_[index] = std::move(*object);
    } catch (const Error& error) {
      if (!is_about_reference(error.code())) throw;
      results_[index] = error;
    }
  }

  UrlCache& cache_;
  const std::vector<WantedContent>& wanted_;
  const FetchLimits& limits_;
  std::vector<std::optional<FetchedContent>> results_;  // each written by one thread
  std::atomic<std::size_t> next_ = 0;
  std::atomic<std::uintmax_t> held_bytes_ = 0;
  std::stop_source stop_;
  std::mutex mutex_;
  std::exception_ptr failure_;
};

}  // namespace

std::vector<FetchedContent> fetch_some(UrlCache& cache, const std::vector<WantedContent>& wanted,
                                       const FetchLimits& limits, std::stop_token stop) {
  return Fetching(cache, wanted, limits).run(stop);
}

}  // namespace coppice
