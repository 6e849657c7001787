#include "engine/json_row.h"

#include <fmt/core.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/error.h"
#include "base/text.h"

namespace coppice::engine {
namespace {

using nlohmann::json;
using Value = JsonRow::Value;

std::string quoted_json(std::string_view text) { return json(text).dump(); }

// JSON written event by event.
class JsonText {
 public:
  void key(std::string_view name) {
    separate();
    text_ += quoted_json(name) + ':';
    first_ = true;  // its value needs no comma
  }
  void scalar(std::string_view text) {
    separate();
    text_ += text;
  }
  void open(char bracket) {
    separate();
    text_ += bracket;
    ++depth_;
    first_ = true;
  }
  void close(char bracket) {
    text_ += bracket;
    --depth_;
    first_ = false;
  }
  bool begun() const { return !text_.empty(); }
  bool complete() const { return depth_ == 0 && begun(); }
  // The text; it begins anew.
  std::string take() {
    first_ = true;
    return std::exchange(text_, {});
  }

 private:
  void separate() {
    if (!first_) text_ += ',';
    first_ = false;
  }

  std::string text_;
  std::size_t depth_ = 0;
  bool first_ = true;  // nothing stands behind the last bracket or key yet
};

// The parser's events of one line, as nlohmann's SAX interface has them.
class RowReader {
 public:
  RowReader(const catalog::TableInfo& table, std::string_view line,
            std::unordered_map<std::string, Value>& values, std::vector<std::string>& keys)
      : table_(table), line_(line), values_(values), keys_(keys) {}

  const std::string& problem() const { return problem_; }

  bool null() { return scalar("null", std::nullopt); }
  bool boolean(bool value) { return plain(value ? "true" : "false"); }
  bool number_integer(std::int64_t value) { return plain(std::to_string(value)); }
  bool number_unsigned(std::uint64_t value) { return plain(std::to_string(value)); }
  bool number_float(double, const std::string& digits) { return plain(digits); }
  bool string(std::string& value) { return scalar(quoted_json(value), value); }
  bool binary(json::binary_t&) { return false; }  // JSON text has none
  bool start_object(std::size_t) { return depth_ == 0 ? ++depth_ > 0 : open('{'); }
  bool end_object() { return depth_ == 1 ? --depth_ == 0 : close('}'); }
  bool start_array(std::size_t) { return open('['); }
  bool end_array() { return close(']'); }
  bool key(std::string& name);
  bool parse_error(std::size_t position, const std::string& token, const json::exception& error);

 private:
  enum class Kind { kPlain, kJson, kArray, kJsonArray };

  bool plain(const std::string& text) { return scalar(text, text); }
  // `as_json` is the value as JSON, `value` as a column of text or numbers takes it.
  bool scalar(std::string_view as_json, const Value& value);
  bool open(char bracket);
  bool close(char bracket);
  void keep(Value value);
  void append_element(std::string_view text, bool quoted);

  const catalog::TableInfo& table_;
  std::string_view line_;
  std::unordered_map<std::string, Value>& values_;
  std::vector<std::string>& keys_;
  std::string problem_;
  std::size_t depth_ = 0;  // 1: between the keys of the row
  std::string key_;
  Kind kind_ = Kind::kPlain;
  JsonText json_;      // of the value, or of an object within an array column
  std::string array_;  // PostgreSQL's form of an array, while one is read
  std::size_t array_depth_ = 0;
};

bool RowReader::key(std::string& name) {
  if (depth_ > 1) {
    json_.key(name);
    return true;
  }
  key_ = name;
  const catalog::ColumnInfo* column = table_.find_column(name);
  const std::string type = column == nullptr ? "" : column->type;
  kind_ = type == "json" || type == "jsonb"       ? Kind::kJson
          : type == "json[]" || type == "jsonb[]" ? Kind::kJsonArray
          : type.ends_with("[]")                  ? Kind::kArray
                                                  : Kind::kPlain;
  return true;
}

bool RowReader::parse_error(std::size_t position, const std::string& token,
                            const json::exception& error) {
  constexpr int kNumberOverflow = 406;
  problem_ =
      fmt::format("column {}: ", line_column(line_, std::max<std::size_t>(position, 1) - 1).column);
  problem_ += error.id == kNumberOverflow ? fmt::format("the number {} is too large", token)
                                          : "not a JSON object";
  return false;
}

bool RowReader::scalar(std::string_view as_json, const Value& value) {
  if (depth_ == 0) return false;
  if (json_.begun()) {
    json_.scalar(as_json);
  } else if (array_depth_ > 0) {
    append_element(!value                      ? "NULL"
                   : kind_ == Kind::kJsonArray ? as_json
                                               : std::string_view(*value),
                   value.has_value());
  } else {
    const bool json_column = kind_ == Kind::kJson || kind_ == Kind::kJsonArray;
    keep(value && json_column ? Value(as_json) : value);
  }
  return true;
}

bool RowReader::open(char bracket) {
  if (depth_ == 0) return false;  // the line is an array
  const bool array_column = kind_ == Kind::kArray || kind_ == Kind::kJsonArray;
  ++depth_;
  if (array_column && bracket == '[' && !json_.begun()) {
    append_element("{", false);
    ++array_depth_;
  } else {
    json_.open(bracket);
  }
  return true;
}

bool RowReader::close(char bracket) {
  --depth_;
  if (!json_.begun()) {  // an array of PostgreSQL
    array_ += '}';
    if (--array_depth_ == 0) keep(std::exchange(array_, {}));
    return true;
  }
  json_.close(bracket);
  if (!json_.complete()) return true;
  if (array_depth_ > 0) {
    append_element(json_.take(), true);
  } else {
    keep(json_.take());
  }
  return true;
}

void RowReader::keep(Value value) {
  if (values_.insert_or_assign(key_, std::move(value)).second) keys_.push_back(key_);
}

void RowReader::append_element(std::string_view text, bool quoted) {
  if (!array_.empty() && !array_.ends_with('{')) array_ += ',';
  if (!quoted) {
    array_ += text;
    return;
  }
  array_ += '"';
  for (const char c : text) {
    if (c == '"' || c == '\\') array_ += '\\';
    array_ += c;
  }
  array_ += '"';
}

}  // namespace

void JsonRow::read(std::string_view line) {
  values_.clear();
  keys_.clear();
  if (const auto invalid = first_invalid_utf8(line); invalid && line[*invalid] != '\0') {
    throw Error(
        ErrorCode::kInvalidInput,
        fmt::format("column {}: the line is not UTF-8: byte 0x{:02x}",
                    line_column(line, *invalid).column, static_cast<unsigned char>(line[*invalid])),
        "save the file as UTF-8");
  }
  RowReader reader(table_, line, values_, keys_);
  if (json::sax_parse(line, &reader)) return;
  throw Error(ErrorCode::kInvalidInput,
              reader.problem().empty() ? "not a JSON object" : reader.problem(),
              "each line must be one object, as {\"id\": 1, \"title\": \"a\"}");
}

const JsonRow::Value* JsonRow::find(const std::string& key) const {
  const auto found = values_.find(key);
  return found == values_.end() ? nullptr : &found->second;
}

}  // namespace coppice::engine
