// Computing columns over rows of a relation: what INSERT, UPDATE and fills have in common.
//
// Model    Columns are computed in rounds: a round holds columns that read only base columns and
//          those of earlier rounds. The relation gives the user's column names.
// Errors   kComputation for the first failed cell of a column whose on_error is 'abort', naming
//          row, column and cause. kPaused when a budget is spent and no row was done.
#pragma once

#include <vector>

#include "engine/context.h"
#include "exec/evaluator.h"

namespace coppice::engine {

struct ComputeRound {
  std::vector<const catalog::ColumnInfo*> columns;
  exec::Plan plan;
};

// `columns` are computed ones of `table`, filling ones too. `from` is what the rows are read from
// ("coppice_store.w12 AS film"), for PostgreSQL to say the types.
std::vector<ComputeRound> plan_rounds(EngineContext& context, const catalog::TableInfo& table,
                                      const std::vector<const catalog::ColumnInfo*>& columns,
                                      const std::string& from);

struct FailedCell {
  std::size_t row = 0;
  const catalog::ColumnInfo* column = nullptr;
  CellFailure failure;
};

struct ComputedBatch {
  std::size_t row_count = 0;  // the first ones of the batch; fewer when a budget is spent
  std::optional<Error> paused;
  std::vector<exec::TextColumn> columns;  // as the round's; failed cells are NULL
  std::vector<FailedCell> failures;       // of columns with on_error 'ignore'
};

// `describe_row` names a row of the batch for messages: "the row with id = 3".
ComputedBatch compute_round(EngineContext& context, const catalog::TableInfo& table,
                            const ComputeRound& round, const exec::TextBatch& rows,
                            const std::function<std::string(std::size_t)>& describe_row);

// Columns `first`, `first` + 1, … of a result, as rows for a plan.
exec::TextBatch read_batch(const pg::Result& rows, int first, std::size_t count);
// "the row with id = 3, pos = 0": the columns of `row` from `first` on, called `names`.
std::string named_row(const pg::Result& rows, int row, int first,
                      const std::vector<std::string>& names);
// What must be on disk before the cells are: media that workers stored, and which versions of the
// users' functions computed them.
void prepare_to_store(EngineContext& context, const catalog::TableInfo& table,
                      const ComputeRound& round, const ComputedBatch& computed);
void make_media_durable(MediaStore& media, const std::vector<exec::TextColumn>& columns);

// The columns that name a row in messages: its key, or else its first base columns.
std::vector<const catalog::ColumnInfo*> naming_columns(const catalog::TableInfo& table);

// One array of PostgreSQL, to be given as a text[] parameter.
std::string text_array(const exec::TextColumn& column);
std::string bigint_array(const std::vector<std::int64_t>& values);

}  // namespace coppice::engine
