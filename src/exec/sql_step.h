// SqlStepRunner: one SqlStep over the rows of a piece, evaluated by PostgreSQL. Not for use outside
// this component.
//
// Model    The inputs travel as one text[] a column and are cast there. A statement that raises is
//          tried again with half of its rows until the rows at fault stand alone; their outputs
//          are then tried one by one.
// Errors   A ServerError that no row can be blamed for comes out as it is.
#pragma once

#include <functional>
#include <span>
#include <stop_token>
#include <vector>

#include "exec/evaluator.h"

namespace coppice::exec {

// The cells of the plan's columns; an empty column is not computed yet.
using PlanCells = std::vector<OutputColumn>;

class SqlStepRunner {
 public:
  SqlStepRunner(pg::Connection& connection, const Plan& plan, PlanCells& cells,
                std::stop_token stop)
      : connection_(connection), plan_(plan), cells_(cells), stop_(std::move(stop)) {}

  void run(const SqlStep& step, std::size_t row_count);

 private:
  using Outputs = std::vector<const SqlOutput*>;

  void run_rows(const Outputs& outputs, std::span<const std::size_t> rows);
  void run_statement(const Outputs& outputs, std::span<const std::size_t> rows);
  void fail(const SqlOutput& output, std::size_t row, const CellFailure& failure);
  std::size_t rows_that_fit(const std::vector<int>& inputs, std::size_t row_count) const;

  pg::Connection& connection_;
  const Plan& plan_;
  PlanCells& cells_;
  std::stop_token stop_;
};

}  // namespace coppice::exec
