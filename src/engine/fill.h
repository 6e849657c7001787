// Fills: giving existing rows the value of a new physical column, without blocking anybody.
//
// Model    begin_fill() adds the hidden column: from then on every operation computes it for the
//          rows it writes. Ranges of at most 10,000 rows that were there are computed, each in a
//          short transaction that also keeps the progress, by one process or several
//          (engine/fill_claims.h); then the column is published, by whoever is first. A killed fill
//          is taken up by resume_fills() where it stopped; one that was paused waits for
//          resume_fill().
// Errors   kComputation names row, column and cause: the hidden column is then removed again.
#pragma once

#include "engine/context.h"
#include "engine/table_draft.h"
#include "sql/source_text.h"

namespace coppice::engine {

enum class FillKind {
  kAddColumn,         // a new column
  kChangeExpression,  // a computed column's expression
  kChangeType,        // a base column's type; the expression gives the new value from the old
  kAddDefault,        // a new base column whose default differs by row
};

struct FillRequest {
  sql::QualifiedName table;
  FillKind kind = FillKind::kAddColumn;
  // With the ids of the columns they replace, 0 for a new one; each after those it reads.
  std::vector<ColumnDraft> columns;
  // Of a new column: made when it is published, or neither is.
  std::vector<ConstraintDraft> constraints;
  std::string statement;
  sql::SourceText source;
};

// Begins, runs and publishes; returns the version.
std::int64_t fill_column(EngineContext& context, const FillRequest& request, ResultSink& sink);

// Takes up the fills whose process ended. Returns how many were finished.
int resume_fills(EngineContext& context, ResultSink& sink);
// Takes up one, also one that was paused.
void resume_fill(EngineContext& context, std::int64_t tree_id, std::int64_t op_id,
                 ResultSink& sink);
// Computes rows of a fill that another process runs, until it is published.
void join_fill(EngineContext& context, std::int64_t tree_id, std::int64_t op_id, ResultSink& sink);
// Removes the hidden column of a fill that waits.
void discard_fill(EngineContext& context, std::int64_t tree_id, std::int64_t op_id);

}  // namespace coppice::engine
