// UsageSink: what calls of model services have cost.
//
// Threads  add() may be called from any thread.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>

namespace coppice::services {

struct Usage {
  std::int64_t calls = 0;     // that gave a value
  std::int64_t requests = 0;  // sent, all attempts; of embeddings one may be many calls
  std::int64_t retries = 0;
  std::int64_t failures = 0;  // calls that failed for good
  std::int64_t tokens_in = 0, tokens_out = 0;

  Usage& operator+=(const Usage& other);
};

class UsageSink {
 public:
  virtual ~UsageSink() = default;
  // `function` is Signature::id. Once a batch, also of one that was interrupted.
  virtual void add(const std::string& function, const Usage& usage) = 0;
};

// Keeps the sums of this process.
class UsageTotals final : public UsageSink {
 public:
  void add(const std::string& function, const Usage& usage) override;
  std::map<std::string, Usage> totals() const;

 private:
  mutable std::mutex mutex_;
  std::map<std::string, Usage> totals_;
};

}  // namespace coppice::services
