// TablePrinter and ExpandedPrinter: rows for people.
//
// Model    The first rows are held back to find the columns' widths, then everything streams; a
// later
//          longer value is cut on a terminal and sticks out elsewhere. Numbers stand right.
// Threads  One thread at a time.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cli/row_printer.h"

namespace coppice::cli {

class TablePrinter final : public RowPrinter {
 public:
  // `width` 0: values are never cut.
  TablePrinter(Output& output, std::size_t width, bool row_count)
      : output_(output), width_(width), row_count_(row_count) {}

  void begin(std::span<const ResultColumn> columns) override;
  void row(Row values) override;
  void end() override;

 private:
  struct Column {
    std::string name;
    bool is_number = false;
    std::size_t width = 0;
  };

  // Prints the heading and the rows held back.
  void release();
  void fit_widths();
  void print(const std::vector<std::string>& cells);
  void append_cell(std::size_t index, const std::string& cell);

  Output& output_;
  std::size_t width_;
  bool row_count_;
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> held_;
  std::size_t held_bytes_ = 0;
  bool released_ = false;
  std::uint64_t rows_ = 0;
};

class ExpandedPrinter final : public RowPrinter {
 public:
  ExpandedPrinter(Output& output, bool row_count) : output_(output), row_count_(row_count) {}

  void begin(std::span<const ResultColumn> columns) override;
  void row(Row values) override;
  void end() override;

 private:
  Output& output_;
  bool row_count_;
  std::vector<std::string> names_;
  std::size_t name_width_ = 0;
  std::uint64_t rows_ = 0;
};

}  // namespace coppice::cli
