#include "cli/printing_sink.h"

#include <fmt/core.h>

#include <utility>

#include "cli/json_text.h"

namespace coppice::cli {

PrintingSink::PrintingSink(Console& console, Output& output, const RowStyle& style,
                           std::function<void()> on_closed)
    : console_(console),
      output_(output),
      style_(style),
      on_closed_(std::move(on_closed)),
      printer_(make_row_printer(output, style)) {}

void PrintingSink::begin_rows(std::span<const ResultColumn> columns) {
  console_.wipe_progress();
  statement_had_rows_ = true;
  printer_->begin(columns);
}

void PrintingSink::row(Row values) {
  if (output_.closed()) {
    notice_closed();
    return;
  }
  printer_->row(values);
}

void PrintingSink::end_rows() {
  printer_->end();
  output_.flush_if_due();
  notice_closed();
}

void PrintingSink::done(std::string_view tag, std::optional<std::int64_t> version) {
  // A query says all there is to say by its rows.
  const bool query = statement_had_rows_ && !version;
  statement_had_rows_ = false;
  if (query || tag.empty() || console_.quiet()) {
    output_.flush_if_due();
    return;
  }
  if (style_.format == RowFormat::kJson) {
    JsonObject event;
    event.add("done", tag);
    if (version) event.add("version", *version);
    console_.event(event.text());
  } else if (style_.format == RowFormat::kTable || style_.format == RowFormat::kExpanded) {
    console_.wipe_progress();
    output_.write(version ? fmt::format("{} (version {})\n", tag, *version)
                          : fmt::format("{}\n", tag));
  }
  output_.flush_if_due();
}

void PrintingSink::notice_closed() {
  if (!output_.closed() || !on_closed_) return;
  const std::function<void()> tell = std::exchange(on_closed_, {});
  tell();
}

}  // namespace coppice::cli
