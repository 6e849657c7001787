// RowPrinter: rows in one of the forms the command line offers.
//
// Model    begin, row…, end for each set of rows. Memory is constant: the aligned table sizes its
//          columns by the first rows and keeps those sizes.
// Threads  One thread at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "cli/output.h"
#include "engine/result_sink.h"

namespace coppice::cli {

using Row = std::span<const std::optional<std::string_view>>;

class RowPrinter {
 public:
  virtual ~RowPrinter() = default;
  virtual void begin(std::span<const ResultColumn> columns) = 0;
  virtual void row(Row values) = 0;
  virtual void end() = 0;
};

enum class RowFormat {
  kTable,     // aligned columns for people, then "(3 rows)"
  kExpanded,  // one line a column, for wide rows
  kPlain,     // the last column's values alone, one a line: paths, generated text
  kJson,      // one object a line
  kCsv,       // RFC 4180 quoting, one header line, lines end with \n, NULL is an empty field
};

struct RowStyle {
  RowFormat format = RowFormat::kTable;
  // Columns of the terminal: longer values are cut to fit. 0: never cut.
  std::size_t width = 0;
  bool row_count = true;  // "(3 rows)"
};

std::unique_ptr<RowPrinter> make_row_printer(Output& output, const RowStyle& style);

}  // namespace coppice::cli
