// The ranges of a fill: computing one physical column for rows that are there already.
#pragma once

#include "engine/context.h"
#include "engine/fill_claims.h"

namespace coppice::engine {

inline constexpr int kRowsPerRange = 10'000;

// Computes ranges of column `number` of the fill until all are done, by whichever process. Rows of
// operations above `high_op` have their cells. Throws FillIsOver.
void fill_ranges(EngineContext& context, const catalog::Operation& operation,
                 const catalog::TableInfo& table, const catalog::ColumnInfo& column, int number,
                 std::int64_t high_op, FillClaims& claims, ResultSink& sink);

}  // namespace coppice::engine
