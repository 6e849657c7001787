// Recompute: computes cells again, as an ordinary new version of their rows.
//
// Model    The chosen rows get a new version in which the given computed columns, and those that
//          depend on them, are evaluated again; all else is copied. A cell that failed before and
//          succeeds now is thereby mended. Old versions keep what they had.
// Errors   kNotFound for a column that does not exist, kRefused for one that is not computed;
//          kComputation when a cell fails whose column says on_error 'abort': then nothing changes.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "engine/context.h"

namespace coppice::engine {

// `columns`: none is all computed ones. `where`: a condition over the table's columns. With
// `errors_only` rows with a failed cell in one of the columns, and only columns with such cells.
void run_recompute(EngineContext& context, const std::string& table,
                   const std::vector<std::string>& columns, const std::optional<std::string>& where,
                   bool errors_only, ResultSink& sink);

}  // namespace coppice::engine
