// PreparedSelect: a bound SELECT with engine calls, ready to run.
//
// Model    PostgreSQL evaluates all that is SQL; batches of rows go to the function workers; SQL
//          around their results is evaluated by PostgreSQL again. Every SELECT with engine calls in
//          its own select list or WHERE becomes an EngineSelect (exec/engine_select.h). Those of
//          subqueries and CTEs, and those whose rows must be sorted, made distinct or grouped after
//          the calls, are run first and leave their rows in TEMP tables; the rest of the statement
//          then is plain SQL over these. Subqueries are merged into the SELECT around them where
//          that is possible, conditions are moved into them and columns that nobody reads are not
//          computed, so that reading a view costs what reading its table would.
//          All reading happens in one READ ONLY REPEATABLE READ transaction.
// Threads  As its connections.
// Errors   Of checking: as check_types(). kComputation when a cell fails: which expression, which
//          row, and why. kInterrupted when stopped.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "exec/binder.h"
#include "pg/connection.h"
#include "workers/pool.h"

namespace coppice::exec {

struct SelectColumn {
  std::string name;
  std::string type;  // "bigint", "numeric(10,2)"; media kinds by their name: "image"
  std::optional<MediaKind> kind;
};

class RowSink {
 public:
  virtual ~RowSink() = default;
  // Once, before the first row; also when there is none.
  virtual void begin(std::span<const SelectColumn> columns) = 0;
  // The views are valid during the call only.
  virtual void row(std::span<const std::optional<std::string_view>> values) = 0;
};

struct SelectSession {
  pg::Connection& source;  // reads the tables and holds TEMP tables; not in a transaction
  pg::Connection& side;    // evaluates SQL around engine results meanwhile
  FunctionPool& pool;
  const FunctionTable& functions;
  RelationKinds& relations;
};

struct SelectOptions {
  std::size_t batch_rows = 256;
  std::stop_token stop;
};

// $1, $2 … as string constants, which PostgreSQL types by where they stand, as it does parameters.
// Before binding; `root` is any tree in `arena`.
void substitute_parameters(sql::Node*& root, std::span<const pg::Parameter> values,
                           sql::Arena& arena);

struct LoweredSelect;

class PreparedSelect {
 public:
  // Checks the statement and takes it apart: `bound` is rewritten. Makes TEMP tables on the
  // session's source, which live as long as this. `kinds` is what the binder found
  // (BindContext::columns); without, kinds are inferred from the statement as it is now.
  PreparedSelect(const SelectSession& session, sql::Arena& arena, PgQuery__SelectStmt& bound,
                 const sql::SourceText& source, std::optional<ColumnKinds> kinds = std::nullopt);
  ~PreparedSelect();
  PreparedSelect(const PreparedSelect&) = delete;
  PreparedSelect& operator=(const PreparedSelect&) = delete;

  const std::vector<SelectColumn>& columns() const { return columns_; }
  // Gives the number of rows.
  std::uint64_t run(RowSink& sink, const SelectOptions& options = {});
  // What goes to PostgreSQL and what to the workers, one step a line.
  std::string explain() const;

 private:
  SelectSession session_;
  std::vector<SelectColumn> columns_;
  std::unique_ptr<LoweredSelect> lowered_;
};

}  // namespace coppice::exec
