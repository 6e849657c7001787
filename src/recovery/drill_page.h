// The page of a drill's report: HTML without scripts, and without anything that is loaded.
//
// Model    It is well-formed as XML, too. Light or dark as the reader likes, and fit for paper.
// Threads  Pure functions.
// Errors   kIntegrity for a report that lacks something.
// Source   docs/formats/drill_report.md, "HTML"
#pragma once

#include <string>
#include <vector>

#include "recovery/drill_report.h"

namespace coppice::recovery {

// Of a signed report, up to </html>; it is signed in its turn.
std::string drill_page(const std::string& report);

// "2 min 5 s", "0.3 s", "3 days 4 h".
std::string shown_duration(double seconds);

// What is measured of each drill, with the objective of then.
struct ChartPoint {
  std::string label;  // "2026-11-23T04:05:06Z"
  bool passed = false;
  std::optional<double> measured, objective;
};
// An <svg> with title and description; `id` is unlike that of others in the page.
std::string drill_chart(const std::string& id, const std::string& title,
                        const std::vector<ChartPoint>& points);

}  // namespace coppice::recovery
