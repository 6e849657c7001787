#include "exec/evaluator.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/error.h"
#include "exec/constants.h"
#include "exec/sql_step.h"
#include "workers/spending.h"

namespace coppice::exec {
namespace {

// What an argument is in one row: a value, or the failure of what computes it.
using ArgumentCell = std::variant<Value, CellFailure>;

// The calls of one FragmentStep over the rows of a piece.
class FragmentStepRunner {
 public:
  FragmentStepRunner(FunctionPool& pool, PlanCells& cells) : pool_(pool), cells_(cells) {}

  void run(const FragmentStep& step, std::size_t row_count, const std::stop_token& stop);

 private:
  ArgumentCell argument(const StepArgument& argument, std::size_t row) const;
  // What is known without a call: NULL for a NULL argument, or a failure.
  std::optional<OutputCell> known_result(const PlannedFragment& fragment, std::size_t row) const;
  OutputCell& result(const PlannedFragment& fragment, std::size_t row) {
    return cells_[static_cast<std::size_t>(fragment.column)][row];
  }
  const OutputCell& cell(int column, std::size_t row) const {
    return cells_[static_cast<std::size_t>(column)][row];
  }
  Batch make_batch(const FragmentStep& step, const std::vector<std::size_t>& rows) const;

  FunctionPool& pool_;
  PlanCells& cells_;
  std::vector<std::vector<ArgumentCell>> arguments_;  // [argument][row]
};

ArgumentCell FragmentStepRunner::argument(const StepArgument& argument, std::size_t row) const {
  if (argument.guard != kNoColumn) {
    const OutputCell& guard = cell(argument.guard, row);
    if (const auto* failure = std::get_if<CellFailure>(&guard)) return *failure;
    if (std::get<TextCell>(guard) != "t") return Value{};
  }
  if (argument.column == kNoColumn) return argument.constant;
  const OutputCell& source = cell(argument.column, row);
  if (const auto* failure = std::get_if<CellFailure>(&source)) return *failure;
  const TextCell& text = std::get<TextCell>(source);
  if (!text) return Value{};
  try {
    return value_from_text(*text, argument.type);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kType) throw;
    return CellFailure{"type", error.message()};
  }
}

std::optional<OutputCell> FragmentStepRunner::known_result(const PlannedFragment& fragment,
                                                           std::size_t row) const {
  bool has_null = false;
  for (const int number : fragment.arguments) {
    const ArgumentCell& argument = arguments_[static_cast<std::size_t>(number)][row];
    if (const auto* failure = std::get_if<CellFailure>(&argument)) return *failure;
    has_null = has_null || std::get<Value>(argument).is_null();
  }
  return has_null ? std::optional<OutputCell>(TextCell()) : std::nullopt;
}

Batch FragmentStepRunner::make_batch(const FragmentStep& step,
                                     const std::vector<std::size_t>& rows) const {
  Batch batch;
  batch.row_count = rows.size();
  for (std::size_t number = 0; number < step.arguments.size(); ++number) {
    std::vector<Value>& values = batch.arguments.emplace_back();
    values.reserve(rows.size());
    for (const std::size_t row : rows) {
      const auto* const value = std::get_if<Value>(&arguments_[number][row]);
      values.push_back(value ? *value : Value{});
    }
  }
  return batch;
}

void FragmentStepRunner::run(const FragmentStep& step, std::size_t row_count,
                             const std::stop_token& stop) {
  for (const StepArgument& planned : step.arguments) {
    std::vector<ArgumentCell>& column = arguments_.emplace_back();
    column.reserve(row_count);
    for (std::size_t row = 0; row < row_count; ++row) column.push_back(argument(planned, row));
  }
  for (const PlannedFragment& planned : step.fragments) {
    cells_[static_cast<std::size_t>(planned.column)].assign(row_count, TextCell());
  }
  std::vector<std::size_t> rows;  // those in which something must be called
  for (std::size_t row = 0; row < row_count; ++row) {
    bool needed = false;
    for (const PlannedFragment& planned : step.fragments) {
      std::optional<OutputCell> known = known_result(planned, row);
      needed = needed || !known;
      if (known) result(planned, row) = std::move(*known);
    }
    if (needed) rows.push_back(row);
  }
  if (rows.empty()) return;
  std::vector<Fragment> fragments;
  for (const PlannedFragment& planned : step.fragments) fragments.push_back(planned.fragment);
  const BatchResult results = pool_.evaluate(fragments, make_batch(step, rows), stop);
  COPPICE_ASSERT(results.size() == fragments.size());
  for (std::size_t i = 0; i < step.fragments.size(); ++i) {
    const PlannedFragment& planned = step.fragments[i];
    COPPICE_ASSERT(results[i].size() == rows.size());
    for (std::size_t k = 0; k < rows.size(); ++k) {
      if (known_result(planned, rows[k])) continue;
      const Cell& computed = results[i][k];
      if (const auto* failure = std::get_if<CellFailure>(&computed)) {
        result(planned, rows[k]) = *failure;
      } else {
        result(planned, rows[k]) = text_from_value(std::get<Value>(computed), planned.type);
      }
    }
  }
}

}  // namespace

// Some rows of a batch on their way through the steps.
class Evaluator::Piece {
 public:
  Piece(Evaluator& evaluator, const Plan& plan, const TextBatch& rows, std::size_t begin,
        std::size_t end)
      : evaluator_(evaluator),
        plan_(plan),
        row_count_(end - begin),
        cells_(static_cast<std::size_t>(plan.column_count())) {
    for (std::size_t i = 0; i < plan.source_columns().size(); ++i) {
      OutputColumn& column = cells_[static_cast<std::size_t>(plan.source_columns()[i])];
      const TextColumn& source = rows.columns[i];
      column.assign(source.begin() + static_cast<std::ptrdiff_t>(begin),
                    source.begin() + static_cast<std::ptrdiff_t>(end));
    }
  }

  void run(const std::stop_token& stop) {
    for (const PlanStep& step : plan_.steps()) {
      if (stop.stop_requested()) throw Error(ErrorCode::kInterrupted, "interrupted");
      if (const auto* sql = std::get_if<SqlStep>(&step)) {
        SqlStepRunner(evaluator_.connection_, plan_, cells_, stop).run(*sql, row_count_);
      } else {
        FragmentStepRunner(evaluator_.pool_, cells_)
            .run(std::get<FragmentStep>(step), row_count_, stop);
      }
    }
  }

  void throw_when_budget_is_spent() const {
    for (const PlanStep& step : plan_.steps()) {
      const auto* const fragments = std::get_if<FragmentStep>(&step);
      if (fragments == nullptr) continue;
      for (const PlannedFragment& planned : fragments->fragments) {
        for (const OutputCell& cell : cells_[static_cast<std::size_t>(planned.column)]) {
          const auto* const failure = std::get_if<CellFailure>(&cell);
          if (failure != nullptr && is_budget_failure(*failure)) throw budget_error(*failure);
        }
      }
    }
  }

  void move_to(std::vector<OutputColumn>& results) {
    const std::vector<int>& outputs = plan_.outputs();
    for (std::size_t i = 0; i < results.size(); ++i) {
      OutputColumn& column = cells_[static_cast<std::size_t>(outputs[i])];
      const auto after = outputs.begin() + static_cast<std::ptrdiff_t>(i) + 1;
      const bool needed_again = std::find(after, outputs.end(), outputs[i]) != outputs.end();
      if (needed_again) {
        results[i].insert(results[i].end(), column.begin(), column.end());
      } else {
        std::move(column.begin(), column.end(), std::back_inserter(results[i]));
      }
    }
  }

 private:
  Evaluator& evaluator_;
  const Plan& plan_;
  std::size_t row_count_;
  PlanCells cells_;
};

std::vector<OutputColumn> Evaluator::evaluate(const Plan& plan, const TextBatch& rows,
                                              const std::stop_token& stop, bool some_rows) {
  COPPICE_ASSERT(rows.columns.size() == plan.source_columns().size());
  for (const TextColumn& column : rows.columns) COPPICE_ASSERT(column.size() == rows.row_count);
  std::vector<OutputColumn> results(plan.outputs().size());
  for (std::size_t begin = 0; begin < rows.row_count; begin += kPieceRows) {
    Piece piece(*this, plan, rows, begin, std::min(rows.row_count, begin + kPieceRows));
    piece.run(stop);
    if (!some_rows) piece.throw_when_budget_is_spent();
    piece.move_to(results);
  }
  return results;
}

}  // namespace coppice::exec
