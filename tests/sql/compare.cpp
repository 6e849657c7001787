#include "compare.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <regex>

namespace coppice::sql_test {
namespace {

constexpr std::size_t kMostRows = 400;  // of a difference: it is for people

}  // namespace

bool row_matches(const std::string& expected, const std::string& actual) {
  if (expected.size() < 2 || expected.front() != '/' || expected.back() != '/')
    return expected == actual;
  return std::regex_match(actual, std::regex(expected.substr(1, expected.size() - 2)));
}

bool json_matches(const std::string& expected, const std::string& actual) {
  const auto wanted = nlohmann::json::parse(expected, nullptr, false);
  const auto found = nlohmann::json::parse(actual, nullptr, false);
  if (!wanted.is_object() || !found.is_object()) return false;
  return std::all_of(wanted.items().begin(), wanted.items().end(), [&](const auto& item) {
    return found.contains(item.key()) && found[item.key()] == item.value();
  });
}

bool rows_match(const std::vector<std::string>& expected, const std::vector<std::string>& actual,
                RowMatch match) {
  return expected.size() == actual.size() &&
         std::equal(expected.begin(), expected.end(), actual.begin(), match);
}

std::string difference(const std::vector<std::string>& expected,
                       const std::vector<std::string>& actual, RowMatch match) {
  const std::size_t rows = std::min(expected.size(), kMostRows);
  const std::size_t columns = std::min(actual.size(), kMostRows);
  // common[i][j]: the longest common part of expected from i and actual from j.
  std::vector<std::vector<int>> common(rows + 1, std::vector<int>(columns + 1, 0));
  for (std::size_t i = rows; i-- > 0;) {
    for (std::size_t j = columns; j-- > 0;) {
      common[i][j] = match(expected[i], actual[j]) ? common[i + 1][j + 1] + 1
                                                   : std::max(common[i + 1][j], common[i][j + 1]);
    }
  }
  std::string text;
  std::size_t i = 0;
  std::size_t j = 0;
  while (i < rows || j < columns) {
    if (i < rows && j < columns && match(expected[i], actual[j])) {
      text += "  " + actual[j++] + "\n";
      ++i;
    } else if (j >= columns || (i < rows && common[i + 1][j] >= common[i][j + 1])) {
      text += "- " + expected[i++] + "\n";
    } else {
      text += "+ " + actual[j++] + "\n";
    }
  }
  if (rows < expected.size() || columns < actual.size()) text += "… more\n";
  return text;
}

}  // namespace coppice::sql_test
