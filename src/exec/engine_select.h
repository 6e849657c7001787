// EngineSelect: one SELECT whose own select list or WHERE calls engine functions, as a stream.
//
// Model    The source query is the SELECT with other targets: what the calls and the SQL around
// them
//          read. Terms of WHERE that call engine functions are computed first, as a filter; the
//          select list only for rows that pass. GROUP BY, ORDER BY, DISTINCT-less LIMIT stay in the
//          source query; LIMIT and OFFSET are counted here when there is a filter.
//          A SELECT that has an engine filter must not be grouped, and its ORDER BY must not
//          depend on engine calls: exec/lowering.h sees to that.
// Units    Rows in flight: at most twice the batch size.
// Threads  As its connections.
// Errors   kComputation when a cell fails; see select.h.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "exec/evaluator.h"
#include "exec/select.h"

namespace coppice::exec {

class EngineSelect {
 public:
  using RowConsumer = std::function<void(std::span<const std::optional<std::string_view>>)>;

  // `select` holds everything it needs, CTEs too.
  EngineSelect(const SelectSession& session, sql::Arena& arena, const PgQuery__SelectStmt& select);

  // In the transaction that is open on the session's source.
  std::uint64_t run(const SelectSession& session, const SelectOptions& options,
                    const RowConsumer& consumer) const;
  std::string explain() const;

 private:
  class Run;

  // The columns of the source query that a plan's targets are.
  struct Input {
    Plan plan;
    std::vector<int> columns;
  };

  void compile(const SelectSession& session, const PgQuery__SelectStmt& select);
  std::vector<int> add_targets(const std::vector<std::string>& targets);
  void add_row_names(const SelectSession& session, const PgQuery__SelectStmt& select);
  std::string source_text(sql::Arena& arena, const PgQuery__SelectStmt& select) const;
  void read_limits(const SelectSession& session, const PgQuery__SelectStmt& select);
  void describe(pg::Connection& connection);

  std::vector<std::string> targets_;  // of the source query
  std::string source_;
  std::optional<Input> filter_;
  Input output_;
  std::vector<const sql::Node*> filter_terms_;  // of the select that was compiled
  std::vector<std::string> filter_texts_;       // as the user wrote them
  std::vector<std::string> output_texts_;
  std::vector<std::pair<std::string, int>> row_names_;  // name, source column
  std::optional<std::int64_t> limit_;                   // counted here
  std::int64_t offset_ = 0;
};

}  // namespace coppice::exec
