#include "sql/source_text.h"

#include <fmt/core.h>

#include <algorithm>

namespace coppice::sql {
namespace {

// How much of a long line is shown on each side of the place.
constexpr std::size_t kCharactersBefore = 50;
constexpr std::size_t kCharactersBehind = 40;

bool is_continuation(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

std::size_t character_count(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return !is_continuation(c); }));
}

// The line around `offset`, shortened, and a caret below: two lines, no final newline.
std::string excerpt(std::string_view text, std::size_t offset, std::size_t line_number) {
  const std::size_t newline_before =
      offset == 0 ? std::string_view::npos : text.rfind('\n', offset - 1);
  const std::size_t line_begin = newline_before == std::string_view::npos ? 0 : newline_before + 1;
  const std::size_t line_end = std::min(text.find('\n', offset), text.size());

  std::size_t begin = offset;
  for (std::size_t i = 0; i < kCharactersBefore && begin > line_begin; ++i) {
    do --begin;
    while (begin > line_begin && is_continuation(text[begin]));
  }
  std::size_t end = offset;
  for (std::size_t i = 0; i < kCharactersBehind && end < line_end; ++i) {
    do ++end;
    while (end < line_end && is_continuation(text[end]));
  }
  std::string shown = fmt::format("LINE {}: {}", line_number, begin > line_begin ? "..." : "");
  const std::size_t caret =
      character_count(shown) + character_count(text.substr(begin, offset - begin));
  shown += text.substr(begin, end - begin);
  if (end < line_end) shown += "...";
  while (shown.back() == '\r' || shown.back() == ' ') shown.pop_back();
  // A tab or an escape sequence would move the caret away from its place.
  std::replace_if(
      shown.begin(), shown.end(), [](unsigned char c) { return c < 0x20 || c == 0x7F; }, ' ');
  return shown + "\n" + std::string(caret, ' ') + "^";
}

}  // namespace

LineColumn SourceText::place(std::size_t offset) const {
  const LineColumn inside = line_column(text, std::min(offset, text.size()));
  if (inside.line > 1) return {start.line + inside.line - 1, inside.column};
  return {start.line, start.column + inside.column - 1};
}

Error error_at(ErrorCode code, const SourceText& source, std::ptrdiff_t offset,
               const std::string& what, std::string hint) {
  if (offset < 0) return Error(code, what, std::move(hint));
  const std::size_t at = std::min(static_cast<std::size_t>(offset), source.text.size());
  const LineColumn place = source.place(at);
  return Error(code,
               fmt::format("{} (line {}, column {})\n{}", what, place.line, place.column,
                           excerpt(source.text, at, place.line)),
               std::move(hint));
}

Error placed(const Error& error, const SourceText& source, std::ptrdiff_t offset) {
  if (offset < 0 || error.message().find("\nLINE ") != std::string::npos) return error;
  return error_at(error.code(), source, offset, error.message(), error.hint());
}

Error moved(const Error& error, const SourceText& source, std::ptrdiff_t offset) {
  const std::string message = error.message();
  const std::size_t excerpt = message.find("\nLINE ");
  const std::size_t place = message.rfind(" (line ", excerpt);
  if (offset < 0 || excerpt == std::string::npos || place == std::string::npos) return error;
  return error_at(error.code(), source, offset, message.substr(0, place), error.hint());
}

std::size_t byte_offset_of_character(std::string_view text, std::size_t index) {
  std::size_t offset = 0;
  while (offset < text.size()) {
    if (!is_continuation(text[offset])) {
      if (index == 0) break;
      --index;
    }
    ++offset;
  }
  return offset;
}

void check_encoding(const SourceText& source) {
  const auto bad = first_invalid_utf8(source.text);
  if (!bad) return;
  // No excerpt: the line cannot be printed as it is.
  const LineColumn place = source.place(*bad);
  const auto byte = static_cast<unsigned char>(source.text[*bad]);
  const std::string where = fmt::format("(line {}, column {})", place.line, place.column);
  if (byte == 0) {
    throw Error(ErrorCode::kInvalidInput, "SQL text holds a NUL byte " + where,
                "remove the byte; PostgreSQL's text has none");
  }
  throw Error(ErrorCode::kInvalidInput,
              fmt::format("SQL text is not UTF-8: byte 0x{:02x} {}", byte, where),
              "save the script as UTF-8");
}

}  // namespace coppice::sql
