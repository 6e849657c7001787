#include "results/durable_pool.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "base/crash_point.h"
#include "base/error.h"
#include "base/work_behind.h"

namespace coppice {

using std::chrono::steady_clock;

// A call that is to be made once, however many rows want it.
struct DurablePool::Call {
  ResultKey key;
  std::size_t row = 0;  // the first that wants it
  std::optional<Cell> outcome;
};

// Gives claims back however the calls end.
class DurablePool::Claims {
 public:
  Claims(ResultStore& store, std::vector<ResultKey> keys)
      : store_(&store), keys_(std::move(keys)) {}
  ~Claims() { release(); }
  Claims(Claims&& other) noexcept : store_(other.store_), keys_(std::exchange(other.keys_, {})) {}
  Claims& operator=(Claims&& other) noexcept {
    release();
    store_ = other.store_;
    keys_ = std::exchange(other.keys_, {});
    return *this;
  }

  void release() noexcept {
    try {
      store_->release(std::exchange(keys_, {}));
    } catch (const Error&) {
      // The session is lost, and its locks with it.
    }
  }

 private:
  ResultStore* store_;
  std::vector<ResultKey> keys_;
};

// Calls that are made together, and kept together.
struct DurablePool::Piece {
  Calls calls;
  Claims claims;
  steady_clock::time_point begin, end;
  double seconds_each = 0;
  Money money;
};

namespace {

// Each holds a lock of the server, three pieces at once.
constexpr std::size_t kMostPieceCalls = 512;

using Arguments = std::vector<const Value*>;

// The argument values of a row, in the order of the call's parameters; nullopt when one is NULL.
std::optional<Arguments> arguments_of(const Fragment& fragment, const Batch& batch,
                                      std::size_t row) {
  Arguments arguments;
  for (const Fragment& child : fragment.children) {
    COPPICE_ASSERT(child.is_argument());
    const Value& value = batch.arguments[static_cast<std::size_t>(child.argument)][row];
    if (value.is_null()) return std::nullopt;
    arguments.push_back(&value);
  }
  return arguments;
}

template <typename Calls>
std::vector<ResultKey> keys_of(const Calls& calls) {
  std::vector<ResultKey> keys;
  for (const auto* const call : calls) keys.push_back(call->key);
  return keys;
}

template <typename Calls>
Batch rows_of(const Calls& calls, const Batch& batch) {
  Batch rows;
  rows.row_count = calls.size();
  rows.arguments.resize(batch.arguments.size());
  for (std::size_t column = 0; column < batch.arguments.size(); ++column) {
    for (const auto* const call : calls) {
      rows.arguments[column].push_back(batch.arguments[column][call->row]);
    }
  }
  return rows;
}

}  // namespace

// A piece that is being made, on a thread of its own.
class DurablePool::Making final : CallWatcher {
 public:
  Making(FunctionPool& pool, Piece piece, const Fragment& fragment, const Batch& batch,
         const std::stop_token& stop)
      : piece_(std::move(piece)), break_off_(stop, [this] { stop_.request_stop(); }) {
    work_.start([this, &pool, &fragment, rows = rows_of(piece_.calls, batch)] {
      try {
        make(pool, fragment, rows);
      } catch (...) {
        all_begun();
        throw;
      }
      all_begun();
    });
  }
  // Breaks it off, if nobody has waited for it.
  ~Making() override {
    stop_.request_stop();
    work_.wait();
  }
  Making(const Making&) = delete;
  Making& operator=(const Making&) = delete;

  // Returns when others may begin, also because it has failed.
  void wait_until_all_begun() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return all_begun_; });
  }
  // Throws what the pool threw.
  Piece finish() {
    work_.finish();
    return std::move(piece_);
  }

 private:
  void make(FunctionPool& pool, const Fragment& fragment, const Batch& rows) {
    piece_.begin = steady_clock::now();
    const BatchResult outcome = pool.evaluate_watched({fragment}, rows, *this, stop_.get_token());
    piece_.end = steady_clock::now();
    for (std::size_t i = 0; i < rows.row_count; ++i) piece_.calls[i]->outcome = outcome[0][i];
    reach_crash_point("results.piece_made");
  }

  void all_begun() override {
    const std::lock_guard lock(mutex_);
    all_begun_ = true;
    changed_.notify_all();
  }
  void cost(const Money& money) override { piece_.money += money; }

  Piece piece_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool all_begun_ = false;
  std::stop_source stop_;
  std::stop_callback<std::function<void()>> break_off_;
  WorkBehind work_;
};

BatchResult DurablePool::evaluate(const std::vector<Fragment>& fragments, const Batch& batch,
                                  std::stop_token stop) {
  BatchResult results;
  for (const Fragment& fragment : fragments) {
    results.push_back(evaluate_one(fragment, batch, stop));
  }
  return results;
}

std::vector<Cell> DurablePool::evaluate_one(const Fragment& fragment, const Batch& batch,
                                            const std::stop_token& stop) {
  std::map<ResultKey, Call> calls;
  std::vector<const Call*> of_row(batch.row_count, nullptr);
  Calls wanted;
  for (std::size_t row = 0; row < batch.row_count; ++row) {
    const std::optional<Arguments> arguments = arguments_of(fragment, batch, row);
    if (!arguments) continue;
    const ResultKey key = result_key(options_.function, *arguments);
    const auto [entry, is_new] = calls.try_emplace(key, Call{key, row, std::nullopt});
    of_row[row] = &entry->second;
    if (is_new) wanted.push_back(&entry->second);
  }
  const auto rows = static_cast<std::size_t>(std::count_if(
      of_row.begin(), of_row.end(), [](const Call* call) { return call != nullptr; }));
  count_repeats(rows - wanted.size());
  // One look for all of them pays when some are kept; each piece looks for itself again.
  if (finds_kept_ && !asks_again()) finds_kept_ = look_up(wanted);
  for (;;) {
    std::erase_if(wanted, [](const Call* call) { return call->outcome.has_value(); });
    if (wanted.empty()) break;
    wanted = make_or_leave(wanted, fragment, batch, stop);
    if (wanted.empty()) break;
    store_.wait_for(keys_of(wanted), stop);
    finds_kept_ = look_up(wanted) || finds_kept_;
  }
  std::vector<Cell> cells(batch.row_count, Value{});
  for (std::size_t row = 0; row < batch.row_count; ++row) {
    if (of_row[row] != nullptr) cells[row] = *of_row[row]->outcome;
  }
  return cells;
}

// Rows of a batch that share a call.
void DurablePool::count_repeats(std::size_t rows) {
  if (!tells_repeats()) return made_.clear();
  Usage usage;
  usage.repeats = static_cast<std::int64_t>(rows);
  if (options_.meter != nullptr && rows > 0) options_.meter->settle({}, usage);
}

bool DurablePool::look_up(const Calls& calls) {
  const std::vector<std::optional<Value>> found = store_.find(keys_of(calls));
  Usage usage;
  for (std::size_t i = 0; i < calls.size(); ++i) {
    if (!found[i]) continue;
    calls[i]->outcome = *found[i];
    ++(made_.contains(calls[i]->key) ? usage.repeats : usage.kept);
  }
  if (options_.meter != nullptr && !usage.empty()) options_.meter->settle({}, usage);
  return !usage.empty();
}

// While a piece is made, the one before it is kept and the one behind it claimed.
DurablePool::Calls DurablePool::make_or_leave(const Calls& wanted, const Fragment& fragment,
                                              const Batch& batch, const std::stop_token& stop) {
  Calls left;
  auto place = wanted.begin();
  const auto next_piece = [&]() -> std::optional<Piece> {
    while (place != wanted.end()) {
      const auto begin = place;
      place += std::min(static_cast<std::ptrdiff_t>(piece_calls_), wanted.end() - begin);
      Piece piece = claim(Calls(begin, place), left);
      if (!piece.calls.empty()) return piece;
    }
    return std::nullopt;
  };
  const auto begin = [&](std::optional<Piece> piece) {
    if (!piece) return std::unique_ptr<Making>();
    return std::make_unique<Making>(pool_, std::move(*piece), fragment, batch, stop);
  };
  steady_clock::time_point last_end;
  std::unique_ptr<Making> making = begin(next_piece());
  while (making) {
    std::optional<Piece> next = next_piece();
    making->wait_until_all_begun();
    std::unique_ptr<Making> behind = begin(std::move(next));
    Piece made = making->finish();
    making = std::move(behind);
    // The time in which the one before it had its last calls out is that one's.
    const std::chrono::duration<double> time = made.end - std::max(made.begin, last_end);
    last_end = made.end;
    made.seconds_each = time.count() / static_cast<double>(made.calls.size());
    fit_pieces(made.seconds_each);
    keep(made);
  }
  return left;
}

DurablePool::Piece DurablePool::claim(const Calls& calls, Calls& left) {
  const std::vector<bool> claimed = store_.claim(keys_of(calls));
  Calls ours;
  for (std::size_t i = 0; i < calls.size(); ++i) (claimed[i] ? ours : left).push_back(calls[i]);
  Piece piece{ours, Claims(store_, keys_of(ours)), {}, {}, 0, {}};
  // Another session may have kept them between the look and the claim.
  if (!asks_again()) finds_kept_ = look_up(ours) || finds_kept_;
  std::erase_if(piece.calls, [](const Call* call) { return call->outcome.has_value(); });
  return piece;
}

void DurablePool::fit_pieces(double seconds_each) {
  const auto fitting = static_cast<std::size_t>(kPieceSeconds / std::max(seconds_each, 1e-6));
  piece_calls_ = std::clamp(fitting, least_calls(), std::max(least_calls(), kMostPieceCalls));
}

// What the calls cost is told for all of them: each gets its share.
void DurablePool::keep(Piece& piece) {
  if (tells_repeats()) {
    for (const Call* const call : piece.calls) made_.insert(call->key);
  }
  std::vector<KeptResult> kept;
  std::vector<std::string> media;
  std::int64_t made = 0;
  for (const Call* const call : piece.calls) {
    const auto* const failure = std::get_if<CellFailure>(&*call->outcome);
    if (failure == nullptr || !is_budget_failure(*failure)) ++made;
    const Value* const value = std::get_if<Value>(&*call->outcome);
    if (value == nullptr) continue;
    kept.push_back({call->key, *value, piece.seconds_each, {}});
    if (is_media(value->type)) media.push_back(value->text);
  }
  std::int64_t number = 0;
  for (KeptResult& result : kept) result.money = piece.money.share(number++, made);
  if (!media.empty() && options_.make_durable) options_.make_durable(media);
  store_.keep(options_.function, kept, asks_again());
  reach_crash_point("results.piece_kept");
  piece.claims.release();
}

}  // namespace coppice
