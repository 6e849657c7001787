// Estimates: EXPLAIN (ESTIMATE) and `coppice estimate`.
//
// Model    The statement is rehearsed over a sample of its rows (rehearsal.h), and what that took
// is
//          scaled to all of them. Rows come as (measure, of, estimate, low, high, unit); the
//          interval is of 95 %. Nothing of the statement is done; results of functions are kept.
// Errors   kUnsupported for what cannot be estimated; those of the statement; kPaused when a budget
//          is spent before the sample is through.
// Source   docs/formats/estimate.md, docs/decisions/0009-spending-and-estimates.md
#pragma once

#include <cstdint>
#include <string_view>

#include "engine/context.h"
#include "engine/engine.h"
#include "sql/parse.h"

namespace coppice::engine {

inline constexpr std::int64_t kUsualSampleRows = 20;

// One statement; `sample_rows` 0: kUsualSampleRows.
void estimate_text(EngineContext& context, std::string_view text, const SqlParameters& parameters,
                   std::int64_t sample_rows, ResultSink& sink);

// EXPLAIN with the option ESTIMATE, and perhaps SAMPLE 50.
bool asks_for_estimate(const sql::Statement& explain);
void explain_estimate(EngineContext& context, sql::Statement& explain,
                      const SqlParameters& parameters, ResultSink& sink);

}  // namespace coppice::engine
