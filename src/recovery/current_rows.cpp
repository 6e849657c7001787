#include "recovery/current_rows.h"

#include <algorithm>
#include <optional>

#include "backup/row_sums.h"

namespace coppice::recovery {
namespace {

constexpr std::size_t kBatchBytes = 1 << 20;

// Where in a line of a run each column is; nullopt: it is NULL.
std::vector<std::optional<std::size_t>> places_of(const TableRuns& table, std::size_t run,
                                                  const MergeRequest& request) {
  const std::size_t head = table.runs[run].has_parent ? 4 : 3;
  const std::vector<std::string> there = merged_columns(table, run, request);
  std::vector<std::optional<std::size_t>> places;
  for (const std::string& name : request.columns) {
    const auto found = std::find(there.begin(), there.end(), name);
    places.push_back(found == there.end()
                         ? std::nullopt
                         : std::optional(head + static_cast<std::size_t>(found - there.begin())));
  }
  return places;
}

}  // namespace

void for_each_current_row(const repo::Repository& repository, const TableRuns& table,
                          const std::vector<std::string>& columns,
                          const std::function<void(std::string_view line)>& visit) {
  const MergeRequest request{columns, nullptr};
  std::vector<std::string_view> fields;
  std::string current;
  for (std::size_t run = 0; run < table.runs.size(); ++run) {
    if (table.runs[run].kind != RunKind::kRows) continue;
    const auto places = places_of(table, run, request);
    merge_run(repository, table, run, request, [&](std::string_view line) {
      split_fields(line, fields);
      if (fields.at(2) != catalog::kCurrentText) return;
      current.clear();
      for (std::size_t i = 0; i < places.size(); ++i) {
        if (i > 0) current += '\t';
        current += places[i] ? fields.at(*places[i]) : std::string_view("\\N");
      }
      current += '\n';
      visit(current);
    });
  }
}

std::vector<LatticeSum> sum_rows_of(const repo::Repository& repository, const TableRuns& table,
                                    const SumRequest& request) {
  std::vector<std::string> columns = request.key;
  columns.insert(columns.end(), request.columns.begin(), request.columns.end());
  const bool whole_rows = request.key.empty();
  const RowForm form = {.form = whole_rows ? "coppice root 1 row" : "coppice root 1 cell",
                        .columns = columns.size(),
                        .key_columns = request.key.size(),
                        .whole_rows = whole_rows};
  internal::RowAdder adder(form);
  std::string lines;
  for_each_current_row(repository, table, columns, [&](std::string_view line) {
    lines += line;
    if (lines.size() < kBatchBytes) return;
    adder.add_lines(lines);
    lines.clear();
  });
  adder.add_lines(lines);
  return adder.sums();
}

}  // namespace coppice::recovery
