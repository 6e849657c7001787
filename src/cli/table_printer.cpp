#include "cli/table_printer.h"

#include <algorithm>

#include "cli/display_text.h"
#include "cli/json_text.h"

namespace coppice::cli {
namespace {

constexpr std::size_t kHeldRows = 1000;
constexpr std::size_t kHeldBytes = 1 << 20;
constexpr std::size_t kNarrowest = 8;  // a column is not cut below this
constexpr std::string_view kNull = "NULL";

std::string row_count_text(std::uint64_t rows) {
  return "(" + std::to_string(rows) + (rows == 1 ? " row)\n" : " rows)\n");
}

std::string cell_text(const std::optional<std::string_view>& value) {
  return value ? printable(*value) : std::string(kNull);
}

bool is_number_type(std::string_view sql_type) {
  const JsonType type = json_type(sql_type);
  return type.kind == JsonKind::kNumber && !type.is_array;
}

}  // namespace

void TablePrinter::begin(std::span<const ResultColumn> columns) {
  columns_.clear();
  held_.clear();
  held_bytes_ = 0;
  released_ = false;
  rows_ = 0;
  for (const ResultColumn& column : columns) {
    const std::string name = printable(column.name);
    columns_.push_back({name, is_number_type(column.type), display_width(name)});
  }
}

void TablePrinter::row(Row values) {
  ++rows_;
  std::vector<std::string> cells;
  cells.reserve(values.size());
  for (const auto& value : values) cells.push_back(cell_text(value));
  if (released_) {
    print(cells);
    return;
  }
  for (std::size_t i = 0; i < cells.size(); ++i) {
    columns_[i].width = std::max(columns_[i].width, display_width(cells[i]));
    held_bytes_ += cells[i].size();
  }
  held_.push_back(std::move(cells));
  if (held_.size() >= kHeldRows || held_bytes_ >= kHeldBytes) release();
}

void TablePrinter::end() {
  if (!released_) release();
  if (row_count_) output_.write(row_count_text(rows_));
}

void TablePrinter::release() {
  released_ = true;
  fit_widths();
  std::vector<std::string> heading;
  std::string rule;
  for (const Column& column : columns_) {
    heading.push_back(column.name);
    if (&column != columns_.data()) rule += '+';
    rule.append(column.width + 2, '-');
  }
  print(heading);
  output_.write(rule + "\n");
  for (const std::vector<std::string>& cells : held_) print(cells);
  held_.clear();
}

// Takes columns from the widest ones until the table fits; numbers are never cut.
void TablePrinter::fit_widths() {
  if (width_ == 0 || columns_.empty()) return;
  std::size_t total = columns_.size() * 3 - 1;  // " a | b " without the last space
  for (const Column& column : columns_) total += column.width;
  while (total > width_) {
    Column* widest = nullptr;
    for (Column& column : columns_) {
      if (column.is_number || column.width <= kNarrowest) continue;
      if (widest == nullptr || column.width > widest->width) widest = &column;
    }
    if (widest == nullptr) return;
    --widest->width;
    --total;
  }
}

void TablePrinter::print(const std::vector<std::string>& cells) {
  std::string& text = output_.buffer();
  for (std::size_t i = 0; i < cells.size(); ++i) {
    text += i == 0 ? " " : " | ";
    append_cell(i, cells[i]);
  }
  text += '\n';
  output_.check();
}

void TablePrinter::append_cell(std::size_t index, const std::string& cell) {
  const Column& column = columns_[index];
  std::string& text = output_.buffer();
  const bool cut = width_ > 0 && !column.is_number;
  const std::string shown = cut ? cut_to_width(cell, column.width) : cell;
  const std::size_t width = display_width(shown);
  const std::size_t padding = column.width > width ? column.width - width : 0;
  if (column.is_number) text.append(padding, ' ');
  text += shown;
  // No blanks at the end of a line.
  if (!column.is_number && index + 1 < columns_.size()) text.append(padding, ' ');
}

void ExpandedPrinter::begin(std::span<const ResultColumn> columns) {
  names_.clear();
  name_width_ = 0;
  rows_ = 0;
  for (const ResultColumn& column : columns) {
    names_.push_back(printable(column.name));
    name_width_ = std::max(name_width_, display_width(names_.back()));
  }
}

void ExpandedPrinter::row(Row values) {
  std::string& text = output_.buffer();
  text += "-[ row " + std::to_string(++rows_) + " ]-\n";
  for (std::size_t i = 0; i < values.size(); ++i) {
    text += names_[i];
    text.append(name_width_ - display_width(names_[i]), ' ');
    text += " | " + cell_text(values[i]) + "\n";
  }
  output_.check();
}

void ExpandedPrinter::end() {
  if (row_count_) output_.write(row_count_text(rows_));
}

}  // namespace coppice::cli
