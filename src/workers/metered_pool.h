// MeteredPool: a FunctionPool in front of another that counts the calls of one function and lets no
// more of them through than the budgets pay for.
//
// Model    A call counts from when it is handed to the pool behind, whatever comes of it: a worker
//          that dies may have made it. With a price, as many calls as are paid for go at one time;
//          when no more are, the rows that are left fail with kBudgetSpent. A row with a NULL
//          argument is no call. Seconds are those of each call as far as the pool lets one see:
//          the time of a batch, times the calls that ran side by side, over the calls.
// Threads  As the pool behind.
// Errors   Those of the pool and of the meter. Calls that an error cuts short count as made.
#pragma once

#include <memory>

#include "workers/pool.h"
#include "workers/spending.h"

namespace coppice {

struct MeteredOptions {
  Money call_price;
  std::size_t side_by_side = 1;  // calls that run at the same time
};

class MeteredPool final : public FunctionPool {
 public:
  // `meter` is borrowed.
  MeteredPool(std::unique_ptr<FunctionPool> pool, SpendingMeter& meter, MeteredOptions options)
      : pool_(std::move(pool)), meter_(meter), options_(options) {}

  // Every fragment is a call over argument columns.
  BatchResult evaluate(const std::vector<Fragment>& fragments, const Batch& batch,
                       std::stop_token stop) override;
  BatchResult evaluate_watched(const std::vector<Fragment>& fragments, const Batch& batch,
                               CallWatcher& watcher, std::stop_token stop) override;

 private:
  std::vector<Cell> evaluate_paid(const Fragment& fragment, const Batch& batch,
                                  const std::vector<std::size_t>& rows, CallWatcher& watcher,
                                  const std::stop_token& stop);
  BatchResult make(const std::vector<Fragment>& fragments, const Batch& batch, std::int64_t calls,
                   const Money& reserved, CallWatcher& watcher, const std::stop_token& stop);

  std::unique_ptr<FunctionPool> pool_;
  SpendingMeter& meter_;
  MeteredOptions options_;
};

}  // namespace coppice
