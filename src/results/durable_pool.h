// DurablePool: a FunctionPool that makes no call twice.
//
// Model    For each row: what the store has is the result. What it has not is claimed, asked of the
//          pool behind, and kept before evaluate() returns, in pieces of kPieceCalls calls or as
//          much as takes kPieceSeconds. The next piece is asked for when the last calls of one have
//          begun, and one is kept while the next one is made, so that a crash costs two pieces at
//          most. Equal rows of a batch are one call. What another session is making is waited for,
//          and made here only if that one fails. Failures are given out and not kept.
// Threads  One call at a time. The store is used by the calling thread alone; the pool behind by
//          threads of its own, two at most.
// Errors   Those of the pool and of the store.
// Source   docs/formats/durable_results.md
#pragma once

#include <algorithm>
#include <functional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "results/result_store.h"
#include "workers/pool.h"
#include "workers/spending.h"

namespace coppice {

inline constexpr std::size_t kPieceCalls = 32;  // at least; then as many as take kPieceSeconds
inline constexpr double kPieceSeconds = 0.5;

struct DurableOptions {
  DurableFunction function;
  // How many calls the pool behind needs at one time to keep its workers busy.
  std::size_t calls_at_once = kPieceCalls;
  // Calls that are made anyway, and replace what is kept: somebody asked to recompute.
  std::function<bool()> ask_again;
  // Makes media durable before results that name them are kept.
  std::function<void(const std::vector<std::string>& names)> make_durable;
  // Of the function: is told of calls that need not be made.
  SpendingMeter* meter = nullptr;
  // Calls that equal one made since it became true are told apart from those that were kept before.
  std::function<bool()> tells_repeats;
};

class DurablePool final : public FunctionPool {
 public:
  // `pool` and `store` are borrowed.
  DurablePool(FunctionPool& pool, ResultStore& store, DurableOptions options)
      : pool_(pool), store_(store), options_(std::move(options)), piece_calls_(least_calls()) {}

  // Every fragment is a call of the function over argument columns.
  BatchResult evaluate(const std::vector<Fragment>& fragments, const Batch& batch,
                       std::stop_token stop) override;

 private:
  struct Call;
  class Claims;
  struct Piece;
  class Making;
  using Calls = std::vector<Call*>;
  std::vector<Cell> evaluate_one(const Fragment& fragment, const Batch& batch,
                                 const std::stop_token& stop);
  // Makes those of the calls that nobody else is making; gives the others.
  Calls make_or_leave(const Calls& wanted, const Fragment& fragment, const Batch& batch,
                      const std::stop_token& stop);
  // Those of the calls that are ours to make; the others go to `left`.
  Piece claim(const Calls& calls, Calls& left);
  // Forgets the claims of what is kept.
  void keep(Piece& piece);
  void fit_pieces(double seconds_each);
  // True when any was kept.
  bool look_up(const Calls& calls);
  std::size_t least_calls() const { return std::max(kPieceCalls, options_.calls_at_once); }
  bool tells_repeats() const { return options_.tells_repeats && options_.tells_repeats(); }
  void count_repeats(std::size_t rows);
  bool asks_again() const { return options_.ask_again && options_.ask_again(); }

  FunctionPool& pool_;
  ResultStore& store_;
  DurableOptions options_;
  std::size_t piece_calls_;
  bool finds_kept_ = true;    // lately
  std::set<ResultKey> made_;  // while repeats are told apart
};

}  // namespace coppice
