#include "services/usage.h"

namespace coppice::services {

Usage& Usage::operator+=(const Usage& other) {
  calls += other.calls;
  requests += other.requests;
  retries += other.retries;
  failures += other.failures;
  tokens_in += other.tokens_in;
  tokens_out += other.tokens_out;
  return *this;
}

void UsageTotals::add(const std::string& function, const Usage& usage) {
  const std::lock_guard lock(mutex_);
  totals_[function] += usage;
}

std::map<std::string, Usage> UsageTotals::totals() const {
  const std::lock_guard lock(mutex_);
  return totals_;
}

}  // namespace coppice::services
