#include "workers/metered_pool.h"

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

#include "base/error.h"

namespace coppice {
namespace {

using std::chrono::steady_clock;

bool is_call(const Fragment& fragment, const Batch& batch, std::size_t row) {
  return std::none_of(
      fragment.children.begin(), fragment.children.end(), [&](const Fragment& child) {
        COPPICE_ASSERT(child.is_argument());
        return batch.arguments[static_cast<std::size_t>(child.argument)][row].is_null();
      });
}

std::vector<std::size_t> calls_of(const Fragment& fragment, const Batch& batch) {
  std::vector<std::size_t> rows;
  for (std::size_t row = 0; row < batch.row_count; ++row) {
    if (is_call(fragment, batch, row)) rows.push_back(row);
  }
  return rows;
}

std::int64_t failures_in(const BatchResult& results) {
  std::int64_t count = 0;
  for (const std::vector<Cell>& cells : results) {
    count += std::count_if(cells.begin(), cells.end(), [](const Cell& cell) {
      return std::holds_alternative<CellFailure>(cell);
    });
  }
  return count;
}

Batch rows_of(const Batch& batch, const std::size_t* rows, std::size_t count) {
  Batch some;
  some.row_count = count;
  for (const std::vector<Value>& column : batch.arguments) {
    std::vector<Value>& values = some.arguments.emplace_back();
    for (std::size_t i = 0; i < count; ++i) values.push_back(column[rows[i]]);
  }
  return some;
}

void wait_for(std::chrono::milliseconds wait, const std::stop_token& stop) {
  if (stop.stop_requested()) {
    throw Error(ErrorCode::kInterrupted, "interrupted while others hold what is left of a budget");
  }
  std::this_thread::sleep_for(wait);
}

}  // namespace

BatchResult MeteredPool::evaluate(const std::vector<Fragment>& fragments, const Batch& batch,
                                  std::stop_token stop) {
  Unwatched nobody;
  return evaluate_watched(fragments, batch, nobody, std::move(stop));
}

BatchResult MeteredPool::evaluate_watched(const std::vector<Fragment>& fragments,
                                          const Batch& batch, CallWatcher& watcher,
                                          std::stop_token stop) {
  std::vector<std::vector<std::size_t>> calls;
  std::int64_t count = 0;
  for (const Fragment& fragment : fragments) {
    calls.push_back(calls_of(fragment, batch));
    count += static_cast<std::int64_t>(calls.back().size());
  }
  if (options_.call_price.is_zero()) return make(fragments, batch, count, Money(), watcher, stop);
  BatchResult results;
  for (std::size_t i = 0; i < fragments.size(); ++i) {
    results.push_back(evaluate_paid(fragments[i], batch, calls[i], watcher, stop));
  }
  return results;
}

std::vector<Cell> MeteredPool::evaluate_paid(const Fragment& fragment, const Batch& batch,
                                             const std::vector<std::size_t>& rows,
                                             CallWatcher& watcher, const std::stop_token& stop) {
  std::vector<Cell> cells(batch.row_count, Value{});
  for (std::size_t done = 0; done < rows.size();) {
    const auto wanted = static_cast<std::int64_t>(rows.size() - done);
    const Allowance allowance = meter_.reserve(options_.call_price, wanted, wanted);
    if (allowance.wait) {
      wait_for(*allowance.wait, stop);
      continue;
    }
    if (allowance.calls == 0) {
      for (; done < rows.size(); ++done) {
        cells[rows[done]] = CellFailure{kBudgetSpent, allowance.refusal};
      }
      break;
    }
    const auto count = static_cast<std::size_t>(allowance.calls);
    BatchResult some = make({fragment}, rows_of(batch, rows.data() + done, count), allowance.calls,
                            options_.call_price * allowance.calls, watcher, stop);
    for (std::size_t i = 0; i < count; ++i) cells[rows[done + i]] = std::move(some[0][i]);
    done += count;
  }
  return cells;
}

BatchResult MeteredPool::make(const std::vector<Fragment>& fragments, const Batch& batch,
                              std::int64_t calls, const Money& reserved, CallWatcher& watcher,
                              const std::stop_token& stop) {
  if (calls == 0) return pool_->evaluate(fragments, batch, stop);
  const auto begin = steady_clock::now();
  const auto settle = [&](std::int64_t failures) {
    const double seconds = std::chrono::duration<double>(steady_clock::now() - begin).count();
    const auto side_by_side =
        std::min(static_cast<double>(calls), static_cast<double>(options_.side_by_side));
    Usage usage;
    usage.requests = calls;
    usage.failures = failures;
    usage.calls = calls - failures;
    usage.money = options_.call_price * calls;
    usage.seconds = seconds * side_by_side;
    meter_.settle(reserved, usage);
    watcher.cost(usage.money);
    meter_.rest();
  };
  try {
    BatchResult results = pool_->evaluate(fragments, batch, stop);
    settle(failures_in(results));
    return results;
  } catch (...) {
    try {
      settle(calls);
    } catch (const Error&) {
      // The database is away; the first error is the one to tell.
    }
    throw;
  }
}

}  // namespace coppice
