#include "exec/sql_step.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <optional>
#include <set>

#include "base/error.h"
#include "pg/server_error.h"
#include "pg/transaction.h"

namespace coppice::exec {
namespace {

OutputCell& cell(PlanCells& cells, int column, std::size_t row) {
  return cells[static_cast<std::size_t>(column)][row];
}

// The failure of the first input that failed.
const CellFailure* failed_input(PlanCells& cells, const SqlOutput& output, std::size_t row) {
  for (const int input : output.inputs) {
    if (const auto* failure = std::get_if<CellFailure>(&cell(cells, input, row))) return failure;
  }
  return nullptr;
}

// Whether an error is about the values: data exceptions, violated domains, RAISE, what a function
// says about its arguments.
bool is_about_values(const pg::ServerError& error) {
  const std::string_view state = error.sqlstate();
  return state.starts_with("22") || state.starts_with("23") || state.starts_with("P0") ||
         state.starts_with("2F") || state.starts_with("38") || state.starts_with("39") ||
         state == "54000";
}

void append_element(std::string& array, const OutputCell& source) {
  const auto* const text = std::get_if<TextCell>(&source);
  if (!text || !*text) {
    array += "NULL";
    return;
  }
  array += '"';
  for (const char character : **text) {
    if (character == '"' || character == '\\') array += '\\';
    array += character;
  }
  array += '"';
}

std::string array_of(PlanCells& cells, int column, std::span<const std::size_t> rows) {
  std::string array = "{";
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (i > 0) array += ',';
    append_element(array, cell(cells, column, rows[i]));
  }
  return array + "}";
}

std::vector<int> inputs_of(const std::vector<const SqlOutput*>& outputs) {
  std::set<int> all;
  for (const SqlOutput* const output : outputs) {
    all.insert(output->inputs.begin(), output->inputs.end());
  }
  return {all.begin(), all.end()};
}

}  // namespace

void SqlStepRunner::run(const SqlStep& step, std::size_t row_count) {
  for (const SqlOutput& output : step.outputs) {
    cells_[static_cast<std::size_t>(output.column)].assign(row_count, TextCell());
  }
  // Rows in which nothing failed go together; for the others the failure is carried over, and only
  // the outputs that do not depend on it are computed.
  std::vector<std::size_t> sound;
  for (std::size_t row = 0; row < row_count; ++row) {
    Outputs left;
    for (const SqlOutput& output : step.outputs) {
      const CellFailure* const failure = failed_input(cells_, output, row);
      if (failure) {
        cell(cells_, output.column, row) = CellFailure(*failure);
      } else {
        left.push_back(&output);
      }
    }
    if (left.size() == step.outputs.size()) {
      sound.push_back(row);
    } else if (!left.empty()) {
      run_rows(left, std::span(&row, 1));
    }
  }
  Outputs all;
  for (const SqlOutput& output : step.outputs) all.push_back(&output);
  const std::vector<int> inputs = inputs_of(all);
  for (std::span<const std::size_t> rest(sound); !rest.empty();) {
    const std::size_t count = rows_that_fit(inputs, rest.size());
    run_rows(all, rest.first(count));
    rest = rest.subspan(count);
  }
}

std::size_t SqlStepRunner::rows_that_fit(const std::vector<int>& inputs,
                                         std::size_t row_count) const {
  std::size_t bytes = 0, longest = 1;
  for (const int input : inputs) {
    for (const OutputCell& source : cells_[static_cast<std::size_t>(input)]) {
      const auto* const text = std::get_if<TextCell>(&source);
      const std::size_t size = text && *text ? (*text)->size() : 0;
      bytes += size;
      longest = std::max(longest, size);
    }
  }
  if (bytes <= kPieceBytes) return row_count;
  return std::clamp<std::size_t>(kPieceBytes / (longest * inputs.size()), 1, row_count);
}

void SqlStepRunner::run_rows(const Outputs& outputs, std::span<const std::size_t> rows) {
  if (stop_.stop_requested()) throw Error(ErrorCode::kInterrupted, "interrupted");
  std::optional<CellFailure> failure;
  try {
    run_statement(outputs, rows);
  } catch (const pg::ServerError& error) {
    if (!is_about_values(error)) throw;
    failure = CellFailure{error.sqlstate(), error.fields().primary};
  }
  if (!failure) return;
  if (rows.size() > 1) {
    const std::size_t half = rows.size() / 2;
    run_rows(outputs, rows.first(half));
    run_rows(outputs, rows.subspan(half));
  } else if (outputs.size() > 1) {
    for (const SqlOutput* const output : outputs) run_rows({output}, rows);
  } else {
    fail(*outputs.front(), rows.front(), *failure);
  }
}

void SqlStepRunner::fail(const SqlOutput& output, std::size_t row, const CellFailure& failure) {
  cell(cells_, output.column, row) =
      CellFailure{failure.type, fmt::format("{} (in {})", failure.message, output.text)};
}

void SqlStepRunner::run_statement(const Outputs& outputs, std::span<const std::size_t> rows) {
  std::vector<int> inputs = inputs_of(outputs);
  std::vector<pg::Parameter> parameters;
  parameters.reserve(inputs.size() + 1);
  for (const int input : inputs) parameters.emplace_back(array_of(cells_, input, rows));
  if (inputs.empty()) {
    // Nothing to read, but one result a row.
    std::string nulls = "{NULL";
    for (std::size_t i = 1; i < rows.size(); ++i) nulls += ",NULL";
    parameters.emplace_back(nulls + "}");
  }
  const std::string text = sql_step_text(plan_, outputs, inputs);
  std::optional<pg::Savepoint> savepoint;
  if (connection_.in_transaction()) savepoint.emplace(connection_, "coppice_sql_step");
  const pg::Result result = connection_.exec_cached(text, parameters);
  if (savepoint) savepoint->release();
  if (static_cast<std::size_t>(result.rows()) != rows.size()) {
    throw Error(ErrorCode::kUnsupported,
                "a function that returns a set stands beside engine functions",
                "Call it in a subquery in FROM.");
  }
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    for (std::size_t row = 0; row < rows.size(); ++row) {
      const auto value = result.value(static_cast<int>(row), static_cast<int>(i));
      cell(cells_, outputs[i]->column, rows[row]) =
          value ? TextCell(std::string(*value)) : TextCell();
    }
  }
}

}  // namespace coppice::exec
