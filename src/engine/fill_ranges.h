// The ranges of a fill: computing one physical column for rows that are there already.
#pragma once

#include "engine/context.h"

namespace coppice::engine {

// Rows are walked in the order of (_from, _row); those after `after_*` are still to be done, up
// to the operations that were drawn when the hidden column was added.
struct FillPosition {
  std::int64_t high_op = 0;
  std::int64_t after_from = 0;
  std::int64_t after_row = 0;
};

inline constexpr int kRowsPerRange = 10'000;

// Returns the number of cells that failed (on_error 'ignore').
std::int64_t fill_ranges(EngineContext& context, const catalog::Operation& operation,
                         const catalog::TableInfo& table, const catalog::ColumnInfo& column,
                         FillPosition position, ResultSink& sink);

}  // namespace coppice::engine
