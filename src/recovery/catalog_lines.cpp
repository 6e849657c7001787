#include "recovery/catalog_lines.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/text.h"

namespace coppice::recovery {
namespace {

using catalog::VersionInfo;
using nlohmann::json;

const json& catalog_table(const Tree& home, const std::string& name) {
  for (const json& table : home.member("catalog")) {
    if (table.at("table") == name) return table;
  }
  throw Error(ErrorCode::kIntegrity, fmt::format("the backup's catalog has no {}", name));
}

}  // namespace

std::optional<std::string> catalog_value(std::string_view field) {
  if (field == "\\N") return std::nullopt;
  return unescaped_field(field);
}

std::int64_t catalog_number(std::string_view field) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(field.data(), field.data() + field.size(), value);
  if (error == std::errc() && end == field.data() + field.size()) return value;
  throw Error(ErrorCode::kIntegrity,
              fmt::format("the backup's catalog has \"{}\" where a number belongs", field));
}

std::vector<std::int64_t> catalog_numbers(std::string_view array) {
  std::vector<std::int64_t> numbers;
  if (array.size() < 2) return numbers;
  for (const std::string& item : split(array.substr(1, array.size() - 2), ',')) {
    if (!item.empty()) numbers.push_back(catalog_number(item));
  }
  return numbers;
}

void for_each_catalog_row(const repo::Repository& repository, const Tree& home,
                          const std::string& table, const std::vector<std::string>& columns,
                          const std::function<void(const std::vector<std::string_view>&)>& visit) {
  home.checked([&] {
    const json& item = catalog_table(home, table);
    const auto there = item.at("columns").get<std::vector<std::string>>();
    std::vector<std::size_t> places;
    for (const std::string& column : columns) {
      places.push_back(
          static_cast<std::size_t>(std::find(there.begin(), there.end(), column) - there.begin()));
    }
    LineReader lines(repository, home.blobs(item.at("blobs")));
    std::vector<std::string_view> fields, wanted(columns.size());
    while (const auto line = lines.next()) {
      split_fields(*line, fields);
      for (std::size_t i = 0; i < places.size(); ++i) {
        wanted[i] = places[i] < there.size() ? fields.at(places[i]) : std::string_view("\\N");
      }
      visit(wanted);
    }
  });
}

std::map<std::int64_t, VersionInfo> floors_in(const repo::Repository& repository,
                                              const Tree& home) {
  std::map<std::int64_t, std::int64_t> of_tree;                            // floor
  std::map<std::int64_t, std::pair<std::int64_t, std::int64_t>> of_table;  // tree, floor
  for_each_catalog_row(
      repository, home, "trees", {"tree_id", "floor_version"},
      [&](const auto& fields) { of_tree[catalog_number(fields[0])] = catalog_number(fields[1]); });
  for_each_catalog_row(repository, home, "tables", {"table_id", "tree_id"},
                       [&](const auto& fields) {
                         const std::int64_t tree = catalog_number(fields[1]);
                         of_table[catalog_number(fields[0])] = {tree, of_tree[tree]};
                       });
  // A materialized view has no rows before it was made.
  for_each_catalog_row(repository, home, "materialized_views", {"table_id", "first_version"},
                       [&](const auto& fields) {
                         auto& floor = of_table[catalog_number(fields[0])].second;
                         floor = std::max(floor, catalog_number(fields[1]));
                       });
  std::map<std::int64_t, VersionInfo> floors;
  for_each_catalog_row(
      repository, home, "versions", {"tree_id", "version", "high_op", "open_ops"},
      [&](const auto& fields) {
        const std::pair wanted{catalog_number(fields[0]), catalog_number(fields[1])};
        for (const auto& [table, floor] : of_table) {
          if (floor != wanted) continue;
          VersionInfo& version = floors[table];
          version.version = wanted.second;
          version.high_op = catalog_number(fields[2]);
          version.open_ops = catalog_numbers(fields[3]);
        }
      });
  return floors;
}

}  // namespace coppice::recovery
