// Direct writes: statements that need no engine function, in one transaction of their own.
//
// Model    An operation id is drawn; the statement writes rows of that id; publish() locks the tree
//          for the moment it takes to give the version; commit. Rows that another operation
//          replaced since this one began are evaluated again before publishing, as READ COMMITTED
//          would (design, section 5.3).
// Errors   The server's errors in the user's names; kConflict after too many rounds; TableHasViews.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/context.h"
#include "engine/engine.h"

namespace coppice::engine {

// The table has materialized views, which follow staged writes only: nothing was done.
class TableHasViews : public Error {
 public:
  TableHasViews()
      : Error(ErrorCode::kConflict, "a materialized view was made meanwhile",
              "run the command again") {}
};

// What a planned statement does inside the transaction.
class DirectWrite {
 public:
  virtual ~DirectWrite() = default;
  virtual std::string_view kind() const = 0;  // "insert", "update", …
  // Plans for the table as it is described now. Called again when the table was altered meanwhile.
  virtual void plan(EngineContext& context, const catalog::TableInfo& table) = 0;
  // Runs in the open transaction; counts what it changed. `only_rows_of` restricts it to current
  // rows written by those operations; empty: all rows.
  virtual void write(EngineContext& context, const catalog::Operation& operation,
                     const std::vector<std::int64_t>& only_rows_of, catalog::RowCounts& counts) = 0;
  // True when it replaces rows, so that rows changed meanwhile must be looked at again.
  virtual bool replaces_rows() const = 0;
  // Gives RETURNING rows to the sink, after the commit.
  virtual void emit(EngineContext& context, ResultSink& sink) = 0;
  // The SQL that plan() made, to tell where in the user's text an error lies.
  virtual std::string_view planned_text() const = 0;
  virtual bool changes_schema() const { return false; }
};

// One whose plan is made from the text of a statement and its parameters.
class StatementWrite : public DirectWrite {
 public:
  // `parameters` is borrowed.
  StatementWrite(std::string text, const SqlParameters& parameters)
      : text_(std::move(text)), parameters_(parameters) {}

  std::string_view planned_text() const override { return planned_; }

 protected:
  std::string text_;
  const SqlParameters& parameters_;
  std::string planned_;
};

struct WriteOutcome {
  catalog::RowCounts counts;
  std::optional<std::int64_t> version;
};

WriteOutcome run_direct_write(EngineContext& context, const sql::QualifiedName& table_name,
                              std::string_view statement, DirectWrite& write);

}  // namespace coppice::engine
