// The part of ViewStage (view_stage.h) that works: WHERE, the iterator, and the cells of rows.
#include <fmt/core.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/crash_point.h"
#include "base/text.h"
#include "engine/statement_tools.h"
#include "engine/view_sql.h"
#include "engine/view_stage.h"
#include "pg/conninfo.h"
#include "pg/transaction.h"

namespace coppice::engine {
namespace {

using catalog::ColumnInfo;
using Expression = ViewRecipe::Expression;

constexpr int kRowsPerBatch = 512;    // of terms of WHERE
constexpr int kParentsPerBatch = 64;  // of an iterator: each may give thousands of rows

}  // namespace

// Terms that workers evaluate

void ViewStage::judge(const Cells& terms, char candidates, ResultSink& sink) {
  if (terms.empty()) return;
  const bool made = candidates == 'c';
  const RoundRows source = rows_where(fmt::format("{}._action = '{}'", kRow, candidates), made);
  const exec::Plan plan = plan_of(terms, source.from, false);
  std::vector<std::string> names;
  std::string fields = fmt::format("{}._n", kRow);
  for (const auto& [name, sql] : source.naming) {
    names.push_back(name);
    fields += ", " + sql;
  }
  Progress progress{"choosing rows of " + view_->user_name(), 0, 0};
  std::int64_t after = 0;
  for (;;) {
    context_.check_stop();
    const pg::Result rows = context_.main.exec(fmt::format(
        "SELECT {0}, {1} FROM {2} WHERE {3}._n > {4} AND {3}._round = 0 AND {5} "
        "ORDER BY {3}._n LIMIT {6}",
        fields, plan.select_list(), source.from, kRow, after, source.where, kRowsPerBatch));
    if (rows.rows() == 0) return;
    const exec::TextBatch batch =
        read_batch(rows, 1 + static_cast<int>(names.size()), plan.source_targets().size());
    const std::vector<exec::OutputColumn> results =
        exec::Evaluator(context_.side(), context_.pool())
            .evaluate(plan, batch, context_.stop.get_token());
    std::vector<std::int64_t> passed, failed;
    for (int row = 0; row < rows.rows(); ++row) {
      const auto at = static_cast<std::size_t>(row);
      // A term that is not true settles the row, whatever another one failed with.
      const bool out = std::any_of(results.begin(), results.end(), [&](const auto& term) {
        const auto* value = std::get_if<exec::TextCell>(&term[at]);
        return value != nullptr && *value != "t";
      });
      for (const exec::OutputColumn& term : results) {
        const auto* failure = std::get_if<CellFailure>(&term[at]);
        if (failure == nullptr || out) continue;
        throw Error(
            ErrorCode::kComputation,
            fmt::format("WHERE of materialized view {} failed for {}: {} ({})", view_->user_name(),
                        named_row(rows, row, 1, names), failure->message, failure->type),
            "correct the row, or leave it out by another term of WHERE");
      }
      (out ? failed : passed).push_back(rows.integer(row, 0));
    }
    pg::Transaction transaction(context_.main);
    context_.main.exec_params(
        made ? fmt::format("UPDATE {} SET _action = 'i' WHERE _n = ANY ($1::bigint[])",
                           stage_.name())
             : fmt::format("UPDATE {} SET _round = 1 WHERE _n = ANY ($1::bigint[])", stage_.name()),
        {bigint_array(passed)});
    context_.main.exec_params(
        made ? fmt::format("DELETE FROM {} WHERE _n = ANY ($1::bigint[])", stage_.name())
             : fmt::format("UPDATE {} SET _action = 'x' WHERE _n = ANY ($1::bigint[])",
                           stage_.name()),
        {bigint_array(failed)});
    transaction.commit();
    after = rows.integer(rows.rows() - 1, 0);
    progress.done += static_cast<std::uint64_t>(rows.rows());
    sink.progress(progress);
  }
}

// Making rows

void ViewStage::make_rows(ResultSink& sink) {
  const auto make = [&] {
    if (recipe_.iterator() != nullptr) {
      expand(sink);
    } else {
      make_rows_by_sql();
    }
  };
  try {
    make();
  } catch (const pg::ServerError& error) {
    if (row_by_row_ || !is_data_error(error)) throw;
    row_by_row_ = true;
    make();
  }
}

void ViewStage::make_rows_by_sql() {
  std::string names;
  const std::string values = made_row(by_sql(all_cells()), names);
  pg::Transaction transaction(context_.main);
  context_.main.exec(fmt::format(
      "INSERT INTO {0} (_parent, _source{1}) SELECT {2}._parent, {2}._source{3} FROM {4} "
      "WHERE {2}._action = 'p' AND {2}._round = 1 ORDER BY {2}._n",
      stage_.name(), names, kRow, values, joined()));
  context_.main.exec(
      fmt::format("UPDATE {} SET _round = 2 WHERE _action = 'p' AND _round = 1", stage_.name()));
  transaction.commit();
}

void ViewStage::expand(ResultSink& sink) {
  const RoundRows source = rows_where(fmt::format("{}._action = 'p'", kRow), false);
  const exec::Plan plan = plan_of({recipe_.iterator()}, source.from, false);
  std::vector<std::string> names;
  std::string fields = fmt::format("{}._n", kRow);
  for (const auto& [name, sql] : source.naming) {
    names.push_back(name);
    fields += ", " + sql;
  }
  const std::string targets = plan.select_list();
  JobProgress progress(context_, operation_, "making rows of " + view_->user_name(), sink);
  progress.found(context_.main
                     .exec(fmt::format("SELECT count(*) FROM {} WHERE _action = 'p' AND _round = 1",
                                       stage_.name()))
                     .integer(0, 0));
  std::int64_t after = 0;
  for (;;) {
    context_.check_stop();
    const pg::Result rows = context_.main.exec(
        fmt::format("SELECT {0}{1}{2} FROM {3} WHERE {4}._n > {5} AND {4}._round = 1 AND {6} "
                    "ORDER BY {4}._n LIMIT {7}",
                    fields, targets.empty() ? "" : ", ", targets, source.from, kRow, after,
                    source.where, kParentsPerBatch));
    if (rows.rows() == 0) return;
    const exec::TextBatch batch =
        read_batch(rows, 1 + static_cast<int>(names.size()), plan.source_targets().size());
    const std::vector<exec::OutputColumn> results =
        exec::Evaluator(context_.side(), context_.pool())
            .evaluate(plan, batch, context_.stop.get_token());
    exec::TextColumn items;
    for (int row = 0; row < rows.rows(); ++row) {
      const exec::OutputCell& cell = results[0][static_cast<std::size_t>(row)];
      if (const auto* failure = std::get_if<CellFailure>(&cell)) {
        throw Error(ErrorCode::kComputation,
                    fmt::format("{} of materialized view {} failed for {}: {} ({})",
                                recipe_.signature()->name, view_->user_name(),
                                named_row(rows, row, 1, names), failure->message, failure->type),
                    "correct the row, or leave it out by WHERE of the view's query");
      }
      items.push_back(std::get<exec::TextCell>(cell));
    }
    reach_crash_point("view.batch_computed");
    expand_batch(rows, items, progress);
    reach_crash_point("view.batch_stored");
    after = rows.integer(rows.rows() - 1, 0);
    progress.tell();
  }
}

namespace {

// Media that the rows of an iterator name, by its media columns.
exec::TextColumn media_in(const Signature& signature, const exec::TextColumn& items) {
  exec::TextColumn names;
  const bool any = std::any_of(signature.columns.begin(), signature.columns.end(),
                               [](const IteratorColumn& column) { return is_media(column.type); });
  if (!any) return names;
  for (const exec::TextCell& item : items) {
    if (!item) continue;
    for (const nlohmann::json& row : nlohmann::json::parse(*item)) {
      for (const IteratorColumn& column : signature.columns) {
        if (!is_media(column.type) || !row.contains(column.name)) continue;
        const nlohmann::json& value = row[column.name];
        if (value.is_string()) names.emplace_back(value.get<std::string>());
      }
    }
  }
  return names;
}

}  // namespace

// The rows of a batch of the parent's, in the transaction that notes that they are made: their
// media are named by columns at once, where the collection of media finds them.
void ViewStage::expand_batch(const pg::Result& rows, const exec::TextColumn& items,
                             JobProgress& progress) {
  const Signature& signature = *recipe_.signature();
  make_media_durable(context_.media, {media_in(signature, items)});
  std::vector<std::int64_t> numbers;
  for (int row = 0; row < rows.rows(); ++row) numbers.push_back(rows.integer(row, 0));
  std::string record, unpacked = "_coppice_r._pos - 1 AS _i0", names = ", _i0",
                      values = ", _coppice_k._i0", fields;
  for (std::size_t i = 0; i < signature.columns.size(); ++i) {
    const std::string column = sql::quote_identifier(signature.columns[i].name);
    record += fmt::format("{}{} {}", i == 0 ? "" : ", ", column, recipe_.iterator_types()[i + 1]);
    fields += column + ", ";
    unpacked += fmt::format(", _coppice_r.{} AS {}", column, iterator_column(i + 1));
    names += ", " + iterator_column(i + 1);
    values += ", _coppice_k." + iterator_column(i + 1);
  }
  values += made_row(by_sql(all_cells()), names);
  std::string conditions;
  for (const Expression* term : terms(recipe_.sql_terms(), true)) {
    conditions += (conditions.empty() ? " WHERE (" : " AND (") + term->sql + ")";
  }
  const char* action = terms(recipe_.engine_terms(), true).empty() ? "i" : "c";
  pg::Transaction transaction(context_.main);
  context_.main.exec_params(
      fmt::format("INSERT INTO {0} (_parent, _source, _action{1}) "
                  "SELECT {2}._parent, {2}._source, '{3}'{4} "
                  "FROM unnest($1::bigint[], $2::text[]) AS _coppice_b(n, items) "
                  "JOIN ({5}) ON {2}._n = _coppice_b.n CROSS JOIN LATERAL "
                  "ROWS FROM (jsonb_to_recordset(_coppice_b.items::jsonb) AS ({6})) "
                  "WITH ORDINALITY AS _coppice_r({7}_pos) "
                  "CROSS JOIN LATERAL (SELECT {8}) AS _coppice_k{9}{10} "
                  "ORDER BY {2}._n, _coppice_k._i0",
                  stage_.name(), names, kRow, action, values, joined(), record, fields, unpacked,
                  iterator_row("_coppice_k"), conditions),
      {bigint_array(numbers), text_array(items)});
  context_.main.exec_params(
      fmt::format("UPDATE {} SET _round = 2 WHERE _n = ANY ($1::bigint[])", stage_.name()),
      {bigint_array(numbers)});
  progress.done(rows.rows());
  transaction.commit();
}

// Cells

void ViewStage::compute(ResultSink& sink) {
  std::vector<const ColumnInfo*> computed;
  for (const ColumnInfo& column : view_->columns) {
    if (column.computed()) computed.push_back(&column);
  }
  compute_cells(by_workers(all_cells()), computed, 'i', std::nullopt, sink);
  const pg::Result masks = context_.main.exec(
      fmt::format("SELECT DISTINCT _changed FROM {} WHERE _action = 'u'", stage_.name()));
  for (int row = 0; row < masks.rows(); ++row) {
    const std::string mask(masks.text(row, 0));
    const ViewRecipe::Effect effect = recipe_.effect_of(ids_in(mask));
    std::set<std::string> names;
    for (const Expression* cell : effect.columns) names.insert(cell->column->name);
    computed = affected_columns(*view_, names);
    for (const ColumnInfo& column : view_->columns) {
      // The old row may not have been reached by the fill yet.
      const bool known = std::count(computed.begin(), computed.end(), &column) > 0;
      if (column.filling && !known) computed.push_back(&column);
    }
    compute_cells(by_workers(effect.columns), computed, 'u', mask, sink);
  }
}

void ViewStage::compute_cells(const Cells& cells, const std::vector<const ColumnInfo*>& computed,
                              char action, const std::optional<std::string>& mask,
                              ResultSink& sink) {
  const auto chosen = [&](const std::string& prefix) {
    std::string where = fmt::format("{}_action = '{}'", prefix, action);
    if (mask) where += fmt::format(" AND {}_changed = {}", prefix, pg::quote_literal(*mask));
    return where;
  };
  std::size_t first_round = 0;
  if (!cells.empty()) {
    const RoundRows rows = rows_where(chosen(std::string(kRow) + "."), true);
    std::vector<const ColumnInfo*> columns;
    for (const Expression* cell : cells) columns.push_back(cell->column);
    const ComputeRound round{columns, plan_of(cells, rows.from, true)};
    JobProgress progress(context_, operation_, "computing columns of " + view_->user_name(), sink);
    progress.found(context_.main
                       .exec(fmt::format("SELECT count(*) FROM {} WHERE {}_round = 0 AND {}",
                                         rows.from, rows.prefix, rows.where))
                       .integer(0, 0));
    stage_.run_round(round, rows, 0, progress);
    first_round = 1;
  }
  stage_.compute(computed, sink, chosen(""), first_round);
}

}  // namespace coppice::engine
