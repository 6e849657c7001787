#include "engine/compute.h"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "base/text.h"
#include "catalog/expressions.h"
#include "engine/bound_expression.h"
#include "engine/function_use.h"
#include "engine/rehearsal.h"
#include "engine/statement_tools.h"
#include "media/frame_name.h"
#include "workers/spending.h"

namespace coppice::engine {
namespace {

using catalog::ColumnInfo;
using catalog::TableInfo;

// True when none of the columns still waiting is read by this one.
bool is_ready(const TableInfo& table, const ColumnInfo& column,
              const std::vector<const ColumnInfo*>& waiting) {
  const std::set<std::string> reads = catalog::columns_read(table, *column.expression);
  return std::none_of(waiting.begin(), waiting.end(), [&](const ColumnInfo* other) {
    return other != &column && !other->filling && reads.contains(other->name);
  });
}

ComputeRound make_round(EngineContext& context, const TableInfo& table,
                        std::vector<const ColumnInfo*> columns, const std::string& from) {
  std::vector<BoundExpression> bound;
  std::vector<const sql::Node*> expressions;
  for (const ColumnInfo* column : columns) {
    bound.push_back(bind_column_expression(context, table, *column));
    qualify_media_types(sql::message_of(bound.back().expression.node()),
                        bound.back().expression.arena());
    sql::Statement& expression = bound.back().expression;
    expressions.push_back(as_assigned(context, *column, expression.node(), expression.arena()));
  }
  exec::CompileOptions options;
  options.sql_in_source = false;  // SQL that fails must cost its cell, not the batch
  ComputeRound round{std::move(columns),
                     exec::Plan::compile(expressions, context.functions, options)};
  if (round.plan.needs_source_types()) round.plan.describe_source(context.main, "FROM " + from);
  return round;
}

// Rows from the first on whose calls a budget did not pay for are left out.
void keep_rows_in_budget(const exec::OutputColumn& column, ComputedBatch& computed) {
  for (std::size_t row = 0; row < computed.row_count; ++row) {
    const auto* const failure = std::get_if<CellFailure>(&column[row]);
    if (failure == nullptr || !is_budget_failure(*failure)) continue;
    computed.paused = budget_error(*failure);
    computed.row_count = row;
  }
}

}  // namespace

std::vector<ComputeRound> plan_rounds(EngineContext& context, const TableInfo& table,
                                      const std::vector<const ColumnInfo*>& columns,
                                      const std::string& from) {
  std::vector<const ColumnInfo*> waiting = columns;
  std::vector<ComputeRound> rounds;
  while (!waiting.empty()) {
    std::vector<const ColumnInfo*> ready;
    for (const ColumnInfo* column : waiting) {
      if (is_ready(table, *column, waiting)) ready.push_back(column);
    }
    COPPICE_ASSERT(!ready.empty());  // circles are refused when a column is defined
    std::erase_if(waiting, [&](const ColumnInfo* column) {
      return std::count(ready.begin(), ready.end(), column) > 0;
    });
    rounds.push_back(make_round(context, table, std::move(ready), from));
  }
  return rounds;
}

ComputedBatch compute_round(EngineContext& context, const TableInfo& table,
                            const ComputeRound& round, const exec::TextBatch& rows,
                            const std::function<std::string(std::size_t)>& describe_row) {
  exec::Evaluator evaluator(context.side(), context.pool());
  const std::vector<exec::OutputColumn> results =
      evaluator.evaluate(round.plan, rows, context.stop.get_token(), true);
  ComputedBatch computed;
  computed.row_count = rows.row_count;
  for (const exec::OutputColumn& column : results) keep_rows_in_budget(column, computed);
  if (computed.row_count == 0 && computed.paused) throw Error(*computed.paused);
  for (std::size_t i = 0; i < round.columns.size(); ++i) {
    const ColumnInfo& column = *round.columns[i];
    exec::TextColumn values(computed.row_count);
    for (std::size_t row = 0; row < computed.row_count; ++row) {
      if (const auto* value = std::get_if<exec::TextCell>(&results[i][row])) {
        values[row] = *value;
        continue;
      }
      const auto& failure = std::get<CellFailure>(results[i][row]);
      if (context.rehearsal != nullptr) {
        context.rehearsal->note_failure();
        continue;
      }
      if (column.on_error == catalog::OnError::kAbort) {
        throw Error(
            ErrorCode::kComputation,
            fmt::format("computed column \"{}\" of {} failed for {}: {} ({})", column.name,
                        table.user_name(), describe_row(row), failure.message, failure.type),
            "correct the row, or let such cells be NULL: ALTER TABLE … ALTER COLUMN … "
            "SET (on_error = 'ignore')");
      }
      computed.failures.push_back({row, &column, failure});
    }
    computed.columns.push_back(std::move(values));
  }
  return computed;
}

void prepare_to_store(EngineContext& context, const TableInfo& table, const ComputeRound& round,
                      const ComputedBatch& computed) {
  make_media_durable(context.media, computed.columns);
  if (context.rehearsal == nullptr) note_functions_used(context, table, round.columns);
}

void make_media_durable(MediaStore& media, const std::vector<exec::TextColumn>& columns) {
  std::vector<MediaName> names;
  for (const exec::TextColumn& column : columns) {
    for (const exec::TextCell& cell : column) {
      const auto name = cell ? object_behind(*cell) : std::nullopt;
      if (name && media.contains(*name)) names.push_back(*name);
    }
  }
  media.make_durable(names);
}

exec::TextBatch read_batch(const pg::Result& rows, int first, std::size_t count) {
  exec::TextBatch batch;
  batch.row_count = static_cast<std::size_t>(rows.rows());
  for (std::size_t i = 0; i < count; ++i) {
    exec::TextColumn values;
    for (int row = 0; row < rows.rows(); ++row) {
      const auto value = rows.value(row, first + static_cast<int>(i));
      values.push_back(value ? exec::TextCell(std::string(*value)) : exec::TextCell());
    }
    batch.columns.push_back(std::move(values));
  }
  return batch;
}

std::string named_row(const pg::Result& rows, int row, int first,
                      const std::vector<std::string>& names) {
  std::vector<std::string> parts;
  for (std::size_t i = 0; i < names.size(); ++i) {
    const auto value = rows.value(row, first + static_cast<int>(i));
    parts.push_back(fmt::format("{} = {}", names[i], value.value_or("NULL")));
  }
  return "the row with " + join(parts, ", ");
}

std::vector<const ColumnInfo*> naming_columns(const TableInfo& table) {
  std::vector<const ColumnInfo*> columns;
  if (const catalog::ConstraintInfo* key = table.primary_key()) {
    for (const std::int64_t id : key->columns) columns.push_back(table.column_by_id(id));
    return columns;
  }
  for (const ColumnInfo* column : table.visible_columns()) {
    if (!column->computed() && columns.size() < 3) columns.push_back(column);
  }
  return columns;
}

std::string text_array(const exec::TextColumn& column) {
  std::string array = "{";
  for (const exec::TextCell& cell : column) {
    if (array.size() > 1) array += ',';
    if (!cell) {
      array += "NULL";
      continue;
    }
    array += '"';
    for (const char c : *cell) {
      if (c == '"' || c == '\\') array += '\\';
      array += c;
    }
    array += '"';
  }
  return array + "}";
}

std::string bigint_array(const std::vector<std::int64_t>& values) {
  return fmt::format("{{{}}}", fmt::join(values, ","));
}

}  // namespace coppice::engine
