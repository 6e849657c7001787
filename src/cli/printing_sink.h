// PrintingSink: the engine's results on the console.
//
// Model    Rows go through a RowPrinter. What a statement without rows did ("INSERT 0 3") is a line
// of
//          standard output for people, an event on standard error with --json, nothing with --csv.
//          When the reader of the output has gone, on_closed runs once and rows are dropped.
// Threads  As ResultSink.
#pragma once

#include <functional>
#include <memory>

#include "cli/console.h"
#include "cli/row_printer.h"

namespace coppice::cli {

class PrintingSink final : public ResultSink {
 public:
  PrintingSink(Console& console, Output& output, const RowStyle& style,
               std::function<void()> on_closed = {});

  void begin_rows(std::span<const ResultColumn> columns) override;
  void row(Row values) override;
  void end_rows() override;
  void done(std::string_view tag, std::optional<std::int64_t> version) override;
  void notice(std::string_view text) override { console_.notice(text); }
  void progress(const Progress& progress) override { console_.progress(progress); }

 private:
  void notice_closed();

  Console& console_;
  Output& output_;
  RowStyle style_;
  std::function<void()> on_closed_;
  std::unique_ptr<RowPrinter> printer_;
  bool statement_had_rows_ = false;
};

}  // namespace coppice::cli
