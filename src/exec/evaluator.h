// Evaluator: computes a Plan over batches of rows.
//
// Model    A TextBatch is columnar, in PostgreSQL's text form. evaluate() runs the steps of the
//          plan one after another over pieces of the batch and gives one column of cells per
//          output. A failed cell is data: it makes every cell that depends on it fail in the same
//          way, and no other. SQL that raises on some row (a division by zero) is narrowed down to
//          the rows at fault; the type of such a failure is the server's SQLSTATE.
//          A call with a NULL argument is NULL and is not made.
// Units    At most kPieceRows rows are with the workers at one time, and about kPieceBytes of text
//          go to PostgreSQL in one statement.
// Threads  As its Connection. The pool may be shared.
// Errors   What is wrong with the plan itself or the server, as Error; kInterrupted when stopped.
#pragma once

#include <optional>
#include <stop_token>
#include <string>
#include <variant>
#include <vector>

#include "exec/plan.h"
#include "pg/connection.h"
#include "workers/pool.h"

namespace coppice::exec {

inline constexpr std::size_t kPieceRows = 4096;
inline constexpr std::size_t kPieceBytes = 8 << 20;

using TextCell = std::optional<std::string>;
using TextColumn = std::vector<TextCell>;

struct TextBatch {
  std::size_t row_count = 0;
  std::vector<TextColumn> columns;  // one a source target
};

using OutputCell = std::variant<TextCell, CellFailure>;
using OutputColumn = std::vector<OutputCell>;

class Evaluator {
 public:
  // `connection` evaluates the SqlSteps. In an open transaction each runs behind a savepoint.
  Evaluator(pg::Connection& connection, FunctionPool& pool)
      : connection_(connection), pool_(pool) {}

  // results[output][row]. When a budget is spent: throws kPaused, or, with `some_rows`, gives the
  // rows that are done; the others have cells that failed for it (workers/spending.h).
  std::vector<OutputColumn> evaluate(const Plan& plan, const TextBatch& rows,
                                     const std::stop_token& stop = {}, bool some_rows = false);

 private:
  class Piece;

  pg::Connection& connection_;
  FunctionPool& pool_;
};

}  // namespace coppice::exec
