#include "engine/fill_ranges.h"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include "base/crash_point.h"
#include "catalog/error_translation.h"
#include "catalog/expressions.h"
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

constexpr int kRowsPerBatch = 512;  // of engine functions: what a kill may cost

// One fill while it runs.
class Filler {
 public:
  Filler(EngineContext& context, const Operation& operation, const TableInfo& table,
         const ColumnInfo& column, FillPosition position, ResultSink& sink)
      : context_(context),
        operation_(operation),
        table_(table),
        column_(column),
        position_(position),
        progress_(context, operation, fmt::format("filling {}.{}", table.user_name(), column.name),
                  sink) {}

  std::int64_t run() {
    count_rows();
    if (column_.uses_engine) {
      fill_by_engine();
    } else {
      fill_by_sql();
    }
    return errors_;
  }

 private:
  struct Bound {
    std::int64_t from = 0;
    std::int64_t row = 0;
  };

  // A transaction for a range that is walked by the index on (_from, _row). The planner's
  // statistics are of before the table was loaded: it would read all of some index for each range.
  // No partial index of current rows serves _to >= the maximum.
  void walk_by_index() {
    context_.main.exec("SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off");
  }

  std::string rows_to_do() const {
    return fmt::format("_to >= {} AND (_from, _row) > ({}, {}) AND _from <= {}",
                       catalog::kCurrentText, position_.after_from, position_.after_row,
                       position_.high_op);
  }

  void count_rows() {
    progress_.found(context_.main
                        .exec(fmt::format("SELECT count(*) FROM {} WHERE {}", table_.store_table(),
                                          rows_to_do()))
                        .integer(0, 0));
  }

  // The progress is kept in the transaction that stores the range.
  void advance(const Bound& bound, std::int64_t rows) {
    context_.main.exec_cached(
        "UPDATE coppice.operations SET "
        "detail = jsonb_set(detail, '{after}', jsonb_build_array($3::bigint, $4::bigint)) "
        "WHERE tree_id = $1 AND op_id = $2",
        {std::to_string(operation_.tree_id), std::to_string(operation_.op_id),
         std::to_string(bound.from), std::to_string(bound.row)});
    progress_.done(rows);
  }

  void finish_range(const Bound& bound) {
    position_.after_from = bound.from;
    position_.after_row = bound.row;
    progress_.tell();
    reach_crash_point("fill.range_stored");
    context_.check_stop();
  }

  // rows_to_do() up to a row. Within one operation it is said column by column: the server goes on
  // to the end of the index behind an upper bound of (_from, _row).
  std::string rows_up_to(const Bound& end) const {
    if (end.from != position_.after_from) {
      return fmt::format("{0} AND (_from, _row) <= ({1}, {2}) AND _from <= {1}", rows_to_do(),
                         end.from, end.row);
    }
    return fmt::format("_to >= {} AND _from = {} AND _row > {} AND _row <= {}",
                       catalog::kCurrentText, end.from, position_.after_row, end.row);
  }

  // The last row of the next range of `rows` rows; nullopt when there are no rows left.
  std::optional<Bound> range_end(int rows) {
    const pg::Result range = context_.main.exec(
        fmt::format("SELECT _from, _row FROM (SELECT _from, _row FROM {} WHERE {} "
                    "ORDER BY _from, _row LIMIT {}) r ORDER BY _from DESC, _row DESC LIMIT 1",
                    table_.store_table(), rows_to_do(), rows));
    if (range.rows() == 0) return std::nullopt;
    return Bound{range.integer(0, 0), range.integer(0, 1)};
  }

  void fill_by_sql() {
    const BoundExpression bound = bind_column_expression(context_, table_, column_);
    for (;;) {
      pg::Transaction transaction(context_.main);
      walk_by_index();
      // A range that a crash of the server takes back is computed again; publishing waits for all.
      context_.main.exec("SET LOCAL synchronous_commit = off");
      const std::optional<Bound> end = range_end(kRowsPerRange);
      if (!end) return;
      reach_crash_point("fill.range_computed");
      const std::int64_t rows = fill_range(bound.store_sql, *end);
      advance(*end, rows);
      transaction.commit();
      finish_range(*end);
    }
  }

  // One statement for the range; when a row fails, halves of it, down to that row.
  std::int64_t fill_range(const std::string& expression, const Bound& end) {
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
    const Bound half{rows.integer(middle, 0), rows.integer(middle, 1)};
    const Bound end{rows.integer(rows.rows() - 1, 0), rows.integer(rows.rows() - 1, 1)};
    const FillPosition kept = position_;
    std::int64_t done = fill_range(expression, half);
    position_.after_from = half.from;
    position_.after_row = half.row;
    done += fill_range(expression, end);
    position_ = kept;
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
    ++errors_;
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
    for (;;) {
      const pg::Result rows =
          next_rows(fmt::format("SELECT {} FROM {} WHERE {} ORDER BY _from, _row LIMIT {}", fields,
                                from, rows_to_do(), kRowsPerBatch));
      if (rows.rows() == 0) return;
      store_batch(rows, compute_batch(rows, rounds[0]));
    }
  }

  pg::Result next_rows(const std::string& query) {
    pg::Transaction transaction(context_.main);
    walk_by_index();
    pg::Result rows = context_.main.exec(query);
    transaction.commit();
    return rows;
  }

  ComputedBatch compute_batch(const pg::Result& rows, const ComputeRound& round) {
    std::vector<std::string> names;
    for (const ColumnInfo* column : naming_columns(table_)) names.push_back(column->name);
    const int first = 2 + static_cast<int>(names.size());
    const exec::TextBatch batch = read_batch(rows, first, round.plan.source_targets().size());
    return compute_round(context_, table_, round, batch, [&](std::size_t row) {
      return named_row(rows, static_cast<int>(row), 2, names);
    });
  }

  void store_batch(const pg::Result& rows, const ComputedBatch& computed) {
    reach_crash_point("fill.range_computed");
    std::vector<std::int64_t> froms, ids;
    for (int row = 0; row < static_cast<int>(computed.row_count); ++row) {
      froms.push_back(rows.integer(row, 0));
      ids.push_back(rows.integer(row, 1));
    }
    pg::Transaction transaction(context_.main);
    context_.main.exec_params(
        fmt::format("UPDATE {} t SET {} = v.x::{} FROM unnest($1::bigint[], $2::bigint[], "
                    "$3::text[]) AS v(f, r, x) WHERE t._from = v.f AND t._row = v.r AND t._to = {}",
                    table_.store_table(), column_.physical, catalog::assignment_type(column_.type),
                    catalog::kCurrentText),
        {bigint_array(froms), bigint_array(ids), text_array(computed.columns[0])});
    for (const FailedCell& failed : computed.failures) {
      note_error(ids[failed.row], failed.failure.type, failed.failure.message);
    }
    const Bound end{froms.back(), ids.back()};
    advance(end, static_cast<std::int64_t>(computed.row_count));
    transaction.commit();
    finish_range(end);
    if (computed.paused) throw Error(*computed.paused);
  }

  EngineContext& context_;
  const Operation& operation_;
  const TableInfo& table_;
  const ColumnInfo& column_;
  FillPosition position_;
  JobProgress progress_;
  std::int64_t errors_ = 0;
};

}  // namespace

std::int64_t fill_ranges(EngineContext& context, const Operation& operation, const TableInfo& table,
                         const ColumnInfo& column, FillPosition position, ResultSink& sink) {
  const WritingScope scope(context, operation);
  const SpendingScope spending(context.spending(), operation.text());
  return Filler(context, operation, table, column, position, sink).run();
}

}  // namespace coppice::engine
