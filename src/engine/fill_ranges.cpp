#include "engine/fill_ranges.h"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include "base/crash_point.h"
#include "catalog/error_translation.h"
#include "catalog/expressions.h"
#include "engine/batch_run.h"
#include "engine/bound_expression.h"
#include "engine/compute.h"
#include "engine/job_progress.h"
#include "engine/references.h"
#include "pg/conninfo.h"
#include "pg/transaction.h"

namespace coppice::engine {
namespace {

using catalog::ColumnInfo;
using catalog::Operation;
using catalog::TableInfo;

// One fill while it runs.
class Filler {
 public:
  Filler(EngineContext& context, const Operation& operation, const TableInfo& table,
         const ColumnInfo& column, int number, std::int64_t high_op, FillClaims& claims,
         ResultSink& sink)
      : context_(context),
        operation_(operation),
        table_(table),
        column_(column),
        claims_(claims),
        wanted_{number, table.store_table(), high_op, kRowsPerRange},
        progress_(context, operation, fmt::format("filling {}.{}", table.user_name(), column.name),
                  sink) {}

  void run() {
    if (column_.uses_engine) {
      fill_by_engine();
    } else {
      fill_by_sql();
    }
  }

 private:
  // A transaction for a range that is walked by the index on (_from, _row). The planner's
  // statistics are of before the table was loaded: it would read all of some index for each range.
  // No partial index of current rows serves _to >= the maximum.
  void walk_by_index() {
    context_.main.exec("SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off");
  }

  void begin_range(const FillClaim& claim) {
    after_ = claim.after;
    context_.check_stop();
  }

  void finish_range() {
    progress_.tell();
    reach_crash_point("fill.range_stored");
    context_.check_stop();
  }

  // The rows behind after_, up to one. Within one operation it is said column by column: the server
  // goes on to the end of the index behind an upper bound of (_from, _row).
  std::string rows_up_to(const RowPlace& end) const {
    if (end.from != after_.from) {
      return fmt::format("{0} AND (_from, _row) <= ({1}, {2}) AND _from <= {1}",
                         rows_behind(after_, wanted_.high_op), end.from, end.row);
    }
    return fmt::format("_to >= {} AND _from = {} AND _row > {} AND _row <= {}",
                       catalog::kCurrentText, end.from, after_.row, end.row);
  }

  void fill_by_sql() {
    const BoundExpression bound = bind_column_expression(context_, table_, column_);
    while (const auto claim = claims_.next(wanted_)) {
      begin_range(*claim);
      pg::Transaction transaction(context_.main);
      walk_by_index();
      // A range that a crash of the server takes back is computed again; publishing waits for all.
      context_.main.exec("SET LOCAL synchronous_commit = off");
      reach_crash_point("fill.range_computed");
      if (!claims_.finish(*claim)) continue;
      progress_.done(fill_range(bound.store_sql, claim->end));
      transaction.commit();
      finish_range();
    }
  }

  // One statement for the range; when a row fails, halves of it, down to that row.
  std::int64_t fill_range(const std::string& expression, const RowPlace& end) {
    const std::string condition = rows_up_to(end);
    pg::Savepoint savepoint(context_.main);
    try {
      const pg::Result updated =
          context_.main.exec(fmt::format("UPDATE {} SET {} = {} WHERE {}", table_.store_table(),
                                         column_.physical, expression, condition));
      savepoint.release();
      return static_cast<std::int64_t>(updated.affected_rows());
    } catch (const pg::ServerError& error) {
      savepoint.rollback();
      if (pg::is_retryable(error) || error.code() == ErrorCode::kInterrupted) throw;
      return fill_halves(expression, condition, error);
    }
  }

  std::int64_t fill_halves(const std::string& expression, const std::string& condition,
                           const pg::ServerError& error) {
    const pg::Result rows =
        context_.main.exec(fmt::format("SELECT _from, _row FROM {} WHERE {} ORDER BY _from, _row",
                                       table_.store_table(), condition));
    if (rows.rows() == 0) return 0;
    if (rows.rows() == 1) {
      fail_row(rows.integer(0, 0), rows.integer(0, 1), error);
      return 1;
    }
    const int middle = rows.rows() / 2 - 1;
    const RowPlace half{rows.integer(middle, 0), rows.integer(middle, 1)};
    const RowPlace end{rows.integer(rows.rows() - 1, 0), rows.integer(rows.rows() - 1, 1)};
    const RowPlace kept = after_;
    std::int64_t done = fill_range(expression, half);
    after_ = half;
    done += fill_range(expression, end);
    after_ = kept;
    return done;
  }

  void fail_row(std::int64_t from, std::int64_t row, const pg::ServerError& error) {
    if (column_.on_error == catalog::OnError::kAbort) {
      std::vector<std::string> fields;
      for (const ColumnInfo* named : naming_columns(table_)) {
        fields.push_back(fmt::format("{} || ' = ' || coalesce({}::text, 'NULL')",
                                     pg::quote_literal(named->name), named->physical));
      }
      const pg::Result name = context_.main.exec(
          fmt::format("SELECT concat_ws(', ', {}) FROM {} WHERE _from = {} AND _row = {}",
                      fmt::join(fields, ", "), table_.store_table(), from, row));
      throw Error(
          ErrorCode::kComputation,
          fmt::format("computed column \"{}\" of {} failed for the row with {}: {}", column_.name,
                      table_.user_name(), name.text(0, 0), error.fields().primary),
          "correct the row, or let such cells be NULL: OPTIONS (on_error 'ignore')");
    }
    note_error(row, error.sqlstate(), error.fields().primary);
  }

  void note_error(std::int64_t row, const std::string& type, const std::string& message) {
    context_.main.exec_cached(
        "SELECT coppice.note_cell_error($1, $2, $3, $4, $5, $6)",
        {std::to_string(table_.table_id), std::to_string(column_.id), std::to_string(row),
         std::to_string(operation_.op_id), type, message});
  }

  void fill_by_engine() {
    // As the working view, but with the columns as they will be.
    std::vector<std::string> columns;
    for (const ColumnInfo* column : table_.visible_columns()) {
      columns.push_back(column->physical + " AS " + sql::quote_identifier(column->name));
    }
    const std::string from =
        fmt::format("(SELECT {}, _row, _from, _to FROM {}) AS {}", fmt::join(columns, ", "),
                    table_.store_table(), sql::quote_identifier(table_.name.name));
    const std::vector<ComputeRound> rounds = plan_rounds(context_, table_, {&column_}, from);
    std::string naming;
    for (const ColumnInfo* column : naming_columns(table_)) {
      naming += fmt::format(", {}", sql::quote_identifier(column->name));
    }
    const std::string fields =
        fmt::format("_from, _row{}, {}", naming, rounds[0].plan.select_list());
    const auto read = [&](int row_count, bool waits) -> std::optional<Batch> {
      wanted_.rows_per_range = row_count;
      const auto claim = waits ? claims_.next_free(wanted_) : claims_.next(wanted_);
      if (!claim) return std::nullopt;
      begin_range(*claim);
      const std::string where = rows_up_to(claim->end);
      return Batch{*claim, read_rows(fmt::format("SELECT {} FROM {} WHERE {} ORDER BY _from, _row",
                                                 fields, from, where))};
    };
    run_batches<Batch>(
        context_,
        {read, [&](Batch& batch) { return compute_batch(batch, rounds[0]); },
         [&](const Batch& batch) { store_batch(batch, rounds[0]); }, [&] { finish_range(); }});
  }

  struct Batch {
    FillClaim claim;
    pg::Result rows;
    ComputedBatch computed;
  };

  pg::Result read_rows(const std::string& query) {
    pg::Transaction transaction(context_.main);
    walk_by_index();
    pg::Result rows = context_.main.exec(query);
    transaction.commit();
    return rows;
  }

  std::size_t compute_batch(Batch& batch, const ComputeRound& round) {
    std::vector<std::string> names;
    for (const ColumnInfo* column : naming_columns(table_)) names.push_back(column->name);
    const int first = 2 + static_cast<int>(names.size());
    const exec::TextBatch cells = read_batch(batch.rows, first, round.plan.source_targets().size());
    batch.computed = compute_round(context_, table_, round, cells, [&](std::size_t row) {
      return named_row(batch.rows, static_cast<int>(row), 2, names);
    });
    return cells.row_count;
  }

  void store_batch(const Batch& batch, const ComputeRound& round) {
    reach_crash_point("fill.range_computed");
    const ComputedBatch& computed = batch.computed;
    std::vector<std::int64_t> froms, ids;
    for (int row = 0; row < static_cast<int>(computed.row_count); ++row) {
      froms.push_back(batch.rows.integer(row, 0));
      ids.push_back(batch.rows.integer(row, 1));
    }
    prepare_to_store(context_, table_, round, computed);
    pg::Transaction transaction(context_.main);
    walk_by_index();
    const bool ours = computed.paused ? claims_.shorten(batch.claim, {froms.back(), ids.back()})
                                      : claims_.finish(batch.claim);
    if (!ours) return;  // it took too long, and somebody else computes these rows
    if (!froms.empty()) store_cells(froms, ids, computed);
    progress_.done(static_cast<std::int64_t>(froms.size()));
    transaction.commit();
  }

  void store_cells(const std::vector<std::int64_t>& froms, const std::vector<std::int64_t>& ids,
                   const ComputedBatch& computed) {
    context_.main.exec_params(
        fmt::format("UPDATE {} t SET {} = v.x::{} FROM unnest($1::bigint[], $2::bigint[], "
                    "$3::text[]) AS v(f, r, x) WHERE t._from = v.f AND t._row = v.r AND t._to = {}",
                    table_.store_table(), column_.physical, catalog::assignment_type(column_.type),
                    catalog::kCurrentText),
        {bigint_array(froms), bigint_array(ids), text_array(computed.columns[0])});
    for (const FailedCell& failed : computed.failures) {
      note_error(ids[failed.row], failed.failure.type, failed.failure.message);
    }
  }

  EngineContext& context_;
  const Operation& operation_;
  const TableInfo& table_;
  const ColumnInfo& column_;
  FillClaims& claims_;
  FillClaims::Column wanted_;
  RowPlace after_;  // of the range
  JobProgress progress_;
};

}  // namespace

void fill_ranges(EngineContext& context, const Operation& operation, const TableInfo& table,
                 const ColumnInfo& column, int number, std::int64_t high_op, FillClaims& claims,
                 ResultSink& sink) {
  const WritingScope scope(context, operation);
  const SpendingScope spending(context.spending(), operation.text());
  Filler(context, operation, table, column, number, high_op, claims, sink).run();
}

}  // namespace coppice::engine
