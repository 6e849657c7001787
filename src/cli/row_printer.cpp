#include "cli/row_printer.h"

#include <algorithm>
#include <string>
#include <vector>

#include "cli/json_text.h"
#include "cli/table_printer.h"

namespace coppice::cli {
namespace {

class JsonPrinter final : public RowPrinter {
 public:
  explicit JsonPrinter(Output& output) : output_(output) {}

  void begin(std::span<const ResultColumn> columns) override {
    keys_.clear();
    types_.clear();
    std::vector<std::string> names;
    for (const ResultColumn& column : columns) {
      names.push_back(unused_name(column.name, names));
      std::string key = names.size() == 1 ? "{" : ",";
      append_json_string(key, names.back());
      keys_.push_back(key + ":");
      types_.push_back(json_type(column.type));
    }
  }

  void row(Row values) override {
    std::string& text = output_.buffer();
    if (values.empty()) text += '{';
    for (std::size_t i = 0; i < values.size(); ++i) {
      text += keys_[i];
      append_json_value(text, types_[i], values[i]);
    }
    text += "}\n";
    output_.check();
  }

  void end() override {}

 private:
  // SQL allows two columns of one name; an object would lose the first.
  static std::string unused_name(const std::string& name, const std::vector<std::string>& used) {
    std::string candidate = name;
    for (int n = 2; std::find(used.begin(), used.end(), candidate) != used.end(); ++n) {
      candidate = name + "_" + std::to_string(n);
    }
    return candidate;
  }

  Output& output_;
  std::vector<std::string> keys_;
  std::vector<JsonType> types_;
};

class CsvPrinter final : public RowPrinter {
 public:
  explicit CsvPrinter(Output& output) : output_(output) {}

  void begin(std::span<const ResultColumn> columns) override {
    std::string& text = output_.buffer();
    for (const ResultColumn& column : columns) {
      if (&column != columns.data()) text += ',';
      append_field(text, column.name);
    }
    text += '\n';
  }

  void row(Row values) override {
    std::string& text = output_.buffer();
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (i > 0) text += ',';
      if (values[i]) append_field(text, *values[i]);
    }
    text += '\n';
    output_.check();
  }

  void end() override {}

 private:
  static bool needs_quotes(char c) { return c == ',' || c == '"' || c == '\n' || c == '\r'; }

  static void append_field(std::string& text, std::string_view field) {
    // An empty text is quoted to tell it from NULL.
    if (!field.empty() && std::none_of(field.begin(), field.end(), needs_quotes)) {
      text += field;
      return;
    }
    text += '"';
    for (const char c : field) {
      if (c == '"') text += '"';
      text += c;
    }
    text += '"';
  }

  Output& output_;
};

class PlainPrinter final : public RowPrinter {
 public:
  explicit PlainPrinter(Output& output) : output_(output) {}

  void begin(std::span<const ResultColumn>) override {}
  void row(Row values) override {
    if (!values.empty() && values.back()) output_.buffer() += *values.back();
    output_.buffer() += '\n';
    output_.check();
  }
  void end() override {}

 private:
  Output& output_;
};

}  // namespace

std::unique_ptr<RowPrinter> make_row_printer(Output& output, const RowStyle& style) {
  switch (style.format) {
    case RowFormat::kTable:
      return std::make_unique<TablePrinter>(output, style.width, style.row_count);
    case RowFormat::kExpanded:
      return std::make_unique<ExpandedPrinter>(output, style.row_count);
    case RowFormat::kPlain:
      return std::make_unique<PlainPrinter>(output);
    case RowFormat::kJson:
      return std::make_unique<JsonPrinter>(output);
    case RowFormat::kCsv:
      return std::make_unique<CsvPrinter>(output);
  }
  return nullptr;
}

}  // namespace coppice::cli
