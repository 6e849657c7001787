#include "engine/json_lines.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/error.h"
#include "base/text.h"
#include "engine/input_lines.h"

namespace coppice::engine {
namespace {

constexpr std::size_t kPieceBytes = 64 << 10;

// A field as COPY's text format reads it.
void append_field(std::string& row, const JsonRow::Value* value) {
  if (value == nullptr || !*value) {
    row += "\\N";
    return;
  }
  for (const char c : **value) {
    switch (c) {
      case '\\':
        row += "\\\\";
        break;
      case '\n':
        row += "\\n";
        break;
      case '\r':
        row += "\\r";
        break;
      case '\t':
        row += "\\t";
        break;
      default:
        row += c;
    }
  }
}

}  // namespace

JsonLines::JsonLines(std::istream& input, std::string name, const catalog::TableInfo& table)
    : input_(input), name_(std::move(name)), row_(table) {
  if (read_object()) columns_ = row_.keys();
}

std::string_view JsonLines::next() {
  piece_.clear();
  while (have_object_ && piece_.size() < kPieceBytes) {
    append_row();
    read_object();
  }
  return piece_;
}

void JsonLines::append_row() {
  for (const std::string& key : row_.keys()) {
    if (std::find(columns_.begin(), columns_.end(), key) != columns_.end()) continue;
    throw Error(ErrorCode::kInvalidInput,
                fmt::format("{}, line {}: key \"{}\" is not in the first line", name_, line_, key),
                did_you_mean(key, columns_));
  }
  for (const std::string& name : columns_) {
    if (&name != columns_.data()) piece_ += '\t';
    append_field(piece_, row_.find(name));
  }
  piece_ += '\n';
}

bool JsonLines::read_object() {
  std::string text;
  have_object_ = false;
  while (read_line(input_, text, fmt::format("{}, line {}", name_, line_ + 1))) {
    ++line_;
    if (trim(text).empty()) {
      blank_before_.push_back(objects_);
      continue;
    }
    try {
      row_.read(text);
    } catch (const Error& error) {
      const char* then = error.message().starts_with("column ") ? "," : ":";
      throw Error(error.code(),
                  fmt::format("{}, line {}{} {}", name_, line_, then, error.message()),
                  error.hint());
    }
    ++objects_;
    return have_object_ = true;
  }
  return false;
}

std::size_t JsonLines::line_of(std::size_t object) const {
  const auto later = std::lower_bound(blank_before_.begin(), blank_before_.end(), object);
  return object + static_cast<std::size_t>(later - blank_before_.begin());
}

}  // namespace coppice::engine
