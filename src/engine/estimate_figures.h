// EstimateFigures: what a rehearsal says of the whole statement.
//
// Model    The groups of a sample are random parts of the same size, nearly. A total is the
// sample's
//          sum over its rows, times the rows that there are; its interval is Student's over the
//          groups, narrower as the sample comes near to all rows, none when all were run. Where all
//          groups were the same, up to three in n of the other rows may still be different (the
//          rule of three), which is what the interval then says. Calls that repeat others of the
//          sample are made once: how many different ones there are follows from how many of the
//          sample are. One row says nothing of the spread: there is no interval. Time is that of
//          calls, by how many run side by side and how many a minute are allowed, and what is left
//          of the sample's time for each row. Both are a model of the run, so the interval is half
//          as wide again at least.
// Units    Rows, calls, tokens, money of budget.currency, seconds.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "engine/context.h"
#include "engine/rehearsal.h"

namespace coppice::engine {

struct Total {
  double estimate = 0;
  std::optional<double> low, high;
};

// `values` and `units`: one a group; `total_units`: of all rows.
Total scaled_total(const std::vector<double>& values, const std::vector<double>& units,
                   double total_units);

// How many different ones there are among `total`, when of `drawn` there were `different`, each as
// likely as another.
double different_in(double total, double drawn, double different);

struct EstimateLine {
  std::string measure;            // "rows", "calls", "money", "seconds", …
  std::optional<std::string> of;  // a table or a function; none: of the statement
  Total total;
  std::string unit;
};

std::vector<EstimateLine> estimate_lines(EngineContext& context, const RehearsalFigures& figures);

// For people and for numeric: whole numbers as they are, others to six digits.
std::string number_text(double value, const std::string& unit);

}  // namespace coppice::engine
