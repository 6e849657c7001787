// Compares what came with what a .test file expects.
#pragma once

#include <string>
#include <vector>

namespace coppice::sql_test {

// An expected row "/REGEX/" matches a whole row.
bool row_matches(const std::string& expected, const std::string& actual);
// An actual JSON object has at least the keys and values of the expected one.
bool json_matches(const std::string& expected, const std::string& actual);

using RowMatch = bool (*)(const std::string& expected, const std::string& actual);
bool rows_match(const std::vector<std::string>& expected, const std::vector<std::string>& actual,
                RowMatch match);

// The two lists as one: "  same", "- expected only", "+ came only".
std::string difference(const std::vector<std::string>& expected,
                       const std::vector<std::string>& actual, RowMatch match);

}  // namespace coppice::sql_test
