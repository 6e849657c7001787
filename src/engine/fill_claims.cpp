#include "engine/fill_claims.h"

#include <fmt/core.h>

#include <thread>

#include "catalog/store_ddl.h"
#include "config/config.h"
#include "pg/transaction.h"

namespace coppice::engine {
namespace {

constexpr std::chrono::milliseconds kLookEvery{100};

// Its session is gone, or has not prolonged it.
constexpr const char* kIsFree =
    "(k.expires_at < clock_timestamp() OR NOT EXISTS (SELECT FROM "
    "pg_stat_get_activity(k.backend_pid) a WHERE a.backend_start = k.backend_start))";

pg::Parameter text_of(std::int64_t number) { return std::to_string(number); }

FillClaim read_claim(const pg::Result& row) {
  return {row.integer(0, 0),
          row.integer(0, 1),
          {row.integer(0, 2), row.integer(0, 3)},
          {row.integer(0, 4), row.integer(0, 5)}};
}

}  // namespace

std::chrono::seconds lease_length(const Config& config) {
  return std::chrono::seconds(config.integer("jobs.lease_s"));
}

std::string rows_behind(const RowPlace& after, std::int64_t high_op) {
  return fmt::format("_to >= {} AND (_from, _row) > ({}, {}) AND _from <= {}",
                     catalog::kCurrentText, after.from, after.row, high_op);
}

FillClaims::FillClaims(EngineContext& context, const catalog::Operation& operation)
    : context_(context),
      operation_(operation),
      lease_(std::to_string(lease_length(context.config).count())) {
  // A process that is stopped in a transaction shall not hold its locks for longer than a lease.
  context_.main.exec(fmt::format("SET idle_in_transaction_session_timeout = '{}s'", lease_));
  context_.main.exec_cached(
      "INSERT INTO coppice.job_workers SELECT $1, $2, a.pid, a.backend_start "
      "FROM pg_stat_get_activity(pg_backend_pid()) a ON CONFLICT DO NOTHING",
      {text_of(operation_.tree_id), text_of(operation_.op_id)});
}

FillClaims::~FillClaims() { release(); }

void FillClaims::release() noexcept {
  try {
    if (!context_.main.is_alive() || context_.main.in_transaction()) return;
    context_.main.exec("RESET idle_in_transaction_session_timeout");
    context_.main.exec_cached(
        "WITH given_back AS (UPDATE coppice.fill_claims SET expires_at = '-infinity' "
        "WHERE tree_id = $1 AND op_id = $2 AND backend_pid = pg_backend_pid()) "
        "DELETE FROM coppice.job_workers "
        "WHERE tree_id = $1 AND op_id = $2 AND backend_pid = pg_backend_pid()",
        {text_of(operation_.tree_id), text_of(operation_.op_id)});
  } catch (const Error&) {  // the lease ends by itself
  }
}

FillClaims::Place FillClaims::lock_place() {
  const pg::Result row = context_.main.exec_cached(
      "SELECT o.state, (o.detail->>'filled')::int, coalesce((o.detail->>'counted')::int, 0), "
      "(o.detail->'after'->>0)::bigint, (o.detail->'after'->>1)::bigint, "
      "(SELECT count(*) FROM coppice.fill_claims k WHERE k.tree_id = $1 AND k.op_id = $2) "
      "FROM coppice.operations o WHERE o.tree_id = $1 AND o.op_id = $2 FOR UPDATE OF o",
      {text_of(operation_.tree_id), text_of(operation_.op_id)});
  if (row.rows() == 0) throw FillIsOver();
  Place place;
  place.state = row.text(0, 0);
  place.filled = static_cast<int>(row.integer(0, 1));
  place.counted = static_cast<int>(row.integer(0, 2));
  place.after = {row.integer(0, 3), row.integer(0, 4)};
  place.claims = row.integer(0, 5);
  return place;
}

void FillClaims::set_detail(const std::string& changes) {
  context_.main.exec_cached(
      "UPDATE coppice.operations SET detail = detail || $3::jsonb "
      "WHERE tree_id = $1 AND op_id = $2",
      {text_of(operation_.tree_id), text_of(operation_.op_id), changes});
}

FillClaims::Next FillClaims::look_for(const Column& column) {
  context_.check_stop();
  pg::Transaction transaction(context_.main);
  const Place place = lock_place();
  if (place.state != "running") throw FillIsOver();
  if (place.filled > column.number) return {std::nullopt, true};
  if (place.counted <= column.number) count_rows(column, place);
  // The claim is worth no wait for the disk: after a crash of the server it was never given.
  context_.main.exec(
      "SET LOCAL synchronous_commit = off; "
      "SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off");
  Next next;
  if (place.claims > 0) next.claim = take_over(false);
  if (!next.claim) next.claim = claim_new(column, place);
  next.done = !next.claim && place.claims == 0;
  if (next.done) {
    set_detail(fmt::format("{{\"filled\": {}, \"after\": [0, 0]}}", column.number + 1));
  }
  transaction.commit();
  return next;
}

std::optional<FillClaim> FillClaims::next(const Column& column) {
  for (;;) {
    Next next = look_for(column);
    if (next.claim || next.done) return next.claim;
    std::this_thread::sleep_for(kLookEvery);
  }
}

std::optional<FillClaim> FillClaims::next_free(const Column& column) {
  return look_for(column).claim;
}

// MATERIALIZED: a subselect in FROM may be run again for each row, and lock another claim each
// time.
std::optional<FillClaim> FillClaims::take_over(bool publishing) {
  const pg::Result taken = context_.main.exec_cached(
      fmt::format("WITH freed AS MATERIALIZED (SELECT k.claim_id FROM coppice.fill_claims k "
                  "WHERE k.tree_id = $1 AND k.op_id = $2 AND k.publishing = $3 AND {} "
                  "ORDER BY k.claim_id LIMIT 1 FOR UPDATE SKIP LOCKED) "
                  "UPDATE coppice.fill_claims c SET fence = c.fence + 1, backend_pid = own.pid, "
                  "backend_start = own.backend_start, "
                  "expires_at = clock_timestamp() + make_interval(secs => $4::float8) "
                  "FROM freed, pg_stat_get_activity(pg_backend_pid()) own "
                  "WHERE c.tree_id = $1 AND c.op_id = $2 AND c.claim_id = freed.claim_id "
                  "RETURNING c.claim_id, c.fence, c.after_from, c.after_row, c.end_from, c.end_row",
                  kIsFree),
      {text_of(operation_.tree_id), text_of(operation_.op_id), publishing ? "t" : "f", lease_});
  if (taken.rows() == 0) return std::nullopt;
  return read_claim(taken);
}

// The next rows behind the last that were given out. The server's statistics are of before the
// table was loaded: it is made to walk the index on (_from, _row).
std::optional<FillClaim> FillClaims::claim_new(const Column& column, const Place& place) {
  const pg::Result range = context_.main.exec(
      fmt::format("SELECT _from, _row FROM (SELECT _from, _row FROM {} WHERE {} "
                  "ORDER BY _from, _row LIMIT {}) r ORDER BY _from DESC, _row DESC LIMIT 1",
                  column.store, rows_behind(place.after, column.high_op), column.rows_per_range));
  if (range.rows() == 0) return std::nullopt;
  const RowPlace end{range.integer(0, 0), range.integer(0, 1)};
  set_detail(fmt::format("{{\"after\": [{}, {}]}}", end.from, end.row));
  return insert(place.after, end, false);
}

FillClaim FillClaims::insert(const RowPlace& after, const RowPlace& end, bool publishing) {
  return read_claim(context_.main.exec_cached(
      "INSERT INTO coppice.fill_claims (tree_id, op_id, after_from, after_row, end_from, end_row, "
      "publishing, backend_pid, backend_start, expires_at) SELECT $1, $2, $3, $4, $5, $6, $7, "
      "a.pid, a.backend_start, clock_timestamp() + make_interval(secs => $8::float8) "
      "FROM pg_stat_get_activity(pg_backend_pid()) a "
      "RETURNING claim_id, fence, after_from, after_row, end_from, end_row",
      {text_of(operation_.tree_id), text_of(operation_.op_id), text_of(after.from),
       text_of(after.row), text_of(end.from), text_of(end.row), publishing ? "t" : "f", lease_}));
}

// What is to be done: rows that nobody has yet, and those of claims that were left.
void FillClaims::count_rows(const Column& column, const Place& place) {
  const std::int64_t rows = context_.main
                                .exec(fmt::format("SELECT count(*) FROM {} WHERE {}", column.store,
                                                  rows_behind(place.after, column.high_op)))
                                .integer(0, 0);
  const std::int64_t claimed =
      place.claims == 0
          ? 0
          : context_.main
                .exec(fmt::format(
                    "SELECT count(*) FROM coppice.fill_claims k JOIN {} t ON t._to >= {} "
                    "AND (t._from, t._row) > (k.after_from, k.after_row) "
                    "AND (t._from, t._row) <= (k.end_from, k.end_row) "
                    "WHERE k.tree_id = {} AND k.op_id = {}",
                    column.store, catalog::kCurrentText, operation_.tree_id, operation_.op_id))
                .integer(0, 0);
  context_.main.exec_cached(
      "SELECT coppice.note_progress($1, $2, 0, $3)",
      {text_of(operation_.tree_id), text_of(operation_.op_id), text_of(rows + claimed)});
  set_detail(fmt::format("{{\"counted\": {}}}", column.number + 1));
}

bool FillClaims::finish(const FillClaim& claim) {
  return context_.main
             .exec_cached(
                 "DELETE FROM coppice.fill_claims "
                 "WHERE tree_id = $1 AND op_id = $2 AND claim_id = $3 AND fence = $4",
                 {text_of(operation_.tree_id), text_of(operation_.op_id), text_of(claim.id),
                  text_of(claim.fence)})
             .affected_rows() > 0;
}

bool FillClaims::shorten(const FillClaim& claim, const RowPlace& end) {
  return context_.main
             .exec_cached(
                 "UPDATE coppice.fill_claims SET after_from = $5, after_row = $6 "
                 "WHERE tree_id = $1 AND op_id = $2 AND claim_id = $3 AND fence = $4",
                 {text_of(operation_.tree_id), text_of(operation_.op_id), text_of(claim.id),
                  text_of(claim.fence), text_of(end.from), text_of(end.row)})
             .affected_rows() > 0;
}

std::optional<FillClaim> FillClaims::publishing() {
  for (;;) {
    context_.check_stop();
    {
      pg::Transaction transaction(context_.main);
      const Place place = lock_place();
      if (place.state == "published") return std::nullopt;
      if (place.state != "running") throw FillIsOver();
      std::optional<FillClaim> claim;
      if (place.claims == 0) {
        claim = insert({}, {}, true);
      } else {
        claim = take_over(true);
      }
      transaction.commit();
      if (claim) return claim;
    }
    std::this_thread::sleep_for(kLookEvery);
  }
}

}  // namespace coppice::engine
