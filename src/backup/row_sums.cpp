#include "backup/row_sums.h"

#include <fmt/core.h>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>

#include "backup/field_hash.h"
#include "backup/lines.h"
#include "base/error.h"
#include "pg/copy.h"

namespace coppice {
namespace {

constexpr std::size_t kBatchBytes = 1 << 20;
constexpr unsigned kMostThreads = 8;

// Batches of rows on their way to the threads that add them.
class AdderThreads {
 public:
  explicit AdderThreads(const RowForm& form) {
    const unsigned count = std::clamp(std::thread::hardware_concurrency(), 1U, kMostThreads);
    for (unsigned i = 0; i < count; ++i)
      adders_.push_back(std::make_unique<internal::RowAdder>(form));
    try {
      for (auto& adder : adders_) threads_.emplace_back([this, &adder] { run(*adder); });
    } catch (...) {
      end();  // those that run wait for batches
      throw;
    }
  }
  ~AdderThreads() { end(); }
  AdderThreads(const AdderThreads&) = delete;
  AdderThreads& operator=(const AdderThreads&) = delete;

  // Waits while every thread has one batch before it.
  void give(std::string lines) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return batches_.size() < adders_.size() || failure_; });
    if (failure_) std::rethrow_exception(failure_);
    batches_.push_back(std::move(lines));
    changed_.notify_all();
  }

  void finish(std::vector<LatticeSum>& sums) {
    end();
    if (failure_) std::rethrow_exception(failure_);
    for (const auto& adder : adders_) {
      for (std::size_t i = 0; i < sums.size(); ++i) sums[i].add(adder->sums()[i]);
    }
  }

 private:
  void end() {
    {
      const std::lock_guard lock(mutex_);
      ended_ = true;
    }
    changed_.notify_all();
    threads_.clear();
  }

  void run(internal::RowAdder& adder) {
    for (;;) {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return !batches_.empty() || ended_; });
      if (batches_.empty()) return;
      const std::string lines = std::move(batches_.front());
      batches_.pop_front();
      lock.unlock();
      changed_.notify_all();
      try {
        adder.add_lines(lines);
      } catch (...) {
        lock.lock();
        failure_ = std::current_exception();
        changed_.notify_all();
        return;
      }
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::string> batches_;
  bool ended_ = false;
  std::exception_ptr failure_;
  std::vector<std::unique_ptr<internal::RowAdder>> adders_;
  std::vector<std::jthread> threads_;
};

}  // namespace

void canonical_session(pg::Connection& connection) {
  connection.exec(
      "SET DateStyle = 'ISO, MDY'; SET IntervalStyle = 'postgres'; SET TimeZone = 'UTC'; "
      "SET extra_float_digits = 1; SET bytea_output = 'hex'; SET lc_monetary = 'C'; "
      "SET xmlbinary = 'base64'; SET xmloption = 'content'; SET quote_all_identifiers = off; "
      "SET search_path = ''");
}

Digest element_of(std::string_view form, const std::vector<std::optional<std::string>>& values) {
  FieldHash hash(form);
  hash.count(values.size());
  for (const auto& value : values) hash.optional(value);
  return hash.finish();
}

std::vector<LatticeSum> sum_rows(pg::Connection& connection, const std::string& query,
                                 const RowForm& form,
                                 const std::function<void(std::uint64_t rows)>& on_rows) {
  std::optional<AdderThreads> threads;
  pg::CopyOut rows(connection, fmt::format("COPY ({}) TO STDOUT", query));
  std::string lines;
  std::uint64_t count = 0;
  while (const auto line = rows.read()) {
    lines += *line;
    ++count;
    if (lines.size() < kBatchBytes) continue;
    if (!threads) threads.emplace(form);
    threads->give(std::exchange(lines, {}));
    if (on_rows) on_rows(std::exchange(count, 0));
  }
  internal::RowAdder rest(form);
  rest.add_lines(lines);
  if (on_rows) on_rows(count);
  std::vector<LatticeSum> sums = rest.sums();
  if (threads) threads->finish(sums);
  return sums;
}

namespace internal {

void RowAdder::add_lines(std::string_view lines) {
  while (!lines.empty()) {
    const std::size_t end = lines.find('\n');
    COPPICE_ASSERT(end != std::string_view::npos);
    add_line(lines.substr(0, end));
    lines.remove_prefix(end + 1);
  }
}

void RowAdder::add_line(std::string_view line) {
  split(line);
  element_.clear();
  append_text(element_, form_.form);
  const std::size_t together = form_.whole_rows ? form_.columns : form_.key_columns;
  append_count(element_, form_.whole_rows ? form_.columns : form_.key_columns + 1);
  for (std::size_t i = 0; i < together; ++i) append_value(fields_[i]);
  if (form_.whole_rows) return add_element(0);
  const std::size_t key_size = element_.size();
  for (std::size_t i = form_.key_columns; i < form_.columns; ++i) {
    element_.resize(key_size);
    append_value(fields_[i]);
    add_element(i - form_.key_columns);
  }
}

void RowAdder::split(std::string_view line) {
  fields_.clear();
  if (form_.columns == 0) return;
  for (;;) {
    const std::size_t end = line.find('\t');
    fields_.push_back(line.substr(0, end));
    if (end == std::string_view::npos) break;
    line.remove_prefix(end + 1);
  }
  COPPICE_ASSERT(fields_.size() == form_.columns);
}

void RowAdder::append_value(std::string_view field) {
  if (field == "\\N") return append_missing(element_);
  if (field.find('\\') == std::string_view::npos) return append_text(element_, field);
  append_text(element_, unescaped_field(field));
}

void RowAdder::add_element(std::size_t sum) { sums_[sum].add(expander_.expand_hash_of(element_)); }

}  // namespace internal
}  // namespace coppice
