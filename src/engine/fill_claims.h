// FillClaims: which rows of a fill this process computes, while others compute other ones.
//
// Model    A fill's rows are walked in the order of (_from, _row). A claim is a range of them, kept
// in
//          coppice.fill_claims with the session that holds it and the end of its lease; the lease
//          is prolonged by engine/job_watch.h. next() gives a new range behind the last one that
//          was given out, or one whose holder is gone or has let its lease end. finish() belongs to
//          the transaction that stores the range: it fails when the range was given to somebody
//          else in between (the fence is another), so no range is stored or counted twice.
// Faults   A process that dies leaves its claims, and the next one that looks has them. One that is
//          stopped inside a transaction loses its session after the length of a lease.
// Threads  As the context.
// Source   docs/decisions/0010-leases.md
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "engine/context.h"

namespace coppice::engine {

// A place in the order of rows.
struct RowPlace {
  std::int64_t from = 0;
  std::int64_t row = 0;
};

// The rows behind `after`, up to `end`.
struct FillClaim {
  std::int64_t id = 0;
  std::int64_t fence = 0;
  RowPlace after;
  RowPlace end;
};

// The operation has been ended by another process.
class FillIsOver : public Error {
 public:
  FillIsOver() : Error(ErrorCode::kConflict, "another process has ended the operation") {}
};

class FillClaims {
 public:
  // This process takes part from now on, until the object ends.
  FillClaims(EngineContext& context, const catalog::Operation& operation);
  ~FillClaims();
  FillClaims(const FillClaims&) = delete;
  FillClaims& operator=(const FillClaims&) = delete;

  // The rows of a column are counted once, by who comes first: `count` says how many there are.
  struct Column {
    int number = 0;
    std::string store;     // "coppice_store.t12"
    std::int64_t high_op;  // rows of later operations are computed by those
    int rows_per_range = 0;
  };
  // Waits while all that is left is claimed. nullopt: the column is done. Throws FillIsOver.
  std::optional<FillClaim> next(const Column& column);
  // The same for who holds a claim already. nullopt: nothing is free now.
  std::optional<FillClaim> next_free(const Column& column);
  // In the transaction that stores it. False: it is not ours any more.
  bool finish(const FillClaim& claim);
  // In the transaction that stores rows up to `end`: those behind them stay claimed.
  bool shorten(const FillClaim& claim, const RowPlace& end);

  // The right to publish, when all columns are done. nullopt: another process has published.
  // Throws FillIsOver when it ended otherwise.
  std::optional<FillClaim> publishing();

 private:
  struct Place {
    std::string state;
    int filled = 0;
    int counted = 0;
    RowPlace after;
    std::int64_t claims = 0;
  };
  Place lock_place();
  struct Next {
    std::optional<FillClaim> claim;
    bool done = false;
  };
  Next look_for(const Column& column);
  std::optional<FillClaim> take_over(bool publishing);
  std::optional<FillClaim> claim_new(const Column& column, const Place& place);
  FillClaim insert(const RowPlace& after, const RowPlace& end, bool publishing);
  void count_rows(const Column& column, const Place& place);
  void set_detail(const std::string& changes);
  void release() noexcept;

  EngineContext& context_;
  const catalog::Operation operation_;
  std::string lease_;  // seconds
};

// How long a lease is, from the settings.
std::chrono::seconds lease_length(const Config& config);

// Rows of a fill that are still to be done: behind `after`, current, of operations up to `high_op`.
std::string rows_behind(const RowPlace& after, std::int64_t high_op);

}  // namespace coppice::engine
