#include "cli/display_text.h"

#include <fmt/core.h>
#include <locale.h>
#include <wchar.h>

#include <algorithm>

#include "base/text.h"

namespace coppice::cli {
namespace {

// wcwidth() answers for the locale of the thread; this sets it to UTF-8 for a moment.
class Utf8Locale {
 public:
  Utf8Locale() : previous_(::uselocale(utf8())) {}
  ~Utf8Locale() { ::uselocale(previous_); }
  Utf8Locale(const Utf8Locale&) = delete;
  Utf8Locale& operator=(const Utf8Locale&) = delete;

 private:
  static locale_t utf8() {
    static const locale_t locale = ::newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr);
    return locale;
  }
  locale_t previous_;
};

bool is_plain(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c < 0x7F; });
}

struct Character {
  wchar_t code = 0;
  std::size_t size_bytes = 1;
};

// The character at the start of valid UTF-8 text.
Character decode(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  const std::size_t size = first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
  if (size == 1 || text.size() < size) return {static_cast<wchar_t>(first), 1};
  unsigned code = first & (0xFFU >> (size + 1));
  for (std::size_t i = 1; i < size; ++i) code = code << 6 | (byte(i) & 0x3FU);
  return {static_cast<wchar_t>(code), size};
}

std::size_t character_width(wchar_t code) {
  const int width = ::wcwidth(code);
  return width < 0 ? 1 : static_cast<std::size_t>(width);
}

std::string escaped(wchar_t code) {
  switch (code) {
    case L'\n':
      return "\\n";
    case L'\t':
      return "\\t";
    case L'\r':
      return "\\r";
    default:
      return code < 0x100 ? fmt::format("\\x{:02x}", static_cast<unsigned>(code))
                          : fmt::format("\\u{:04x}", static_cast<unsigned>(code));
  }
}

// C0, C1, and the marks that reorder text on a terminal.
bool is_unsafe(wchar_t code) {
  return code < 0x20 || (code >= 0x7F && code < 0xA0) || (code >= 0x202A && code <= 0x202E) ||
         (code >= 0x2066 && code <= 0x2069) || code == 0x2028 || code == 0x2029;
}

}  // namespace

std::string printable(std::string_view text) {
  if (is_plain(text)) return std::string(text);
  std::string result;
  std::size_t valid_end = first_invalid_utf8(text).value_or(text.size());
  while (!text.empty()) {
    if (valid_end == 0) {
      result += escaped(static_cast<unsigned char>(text.front()));
      text.remove_prefix(1);
      valid_end = first_invalid_utf8(text).value_or(text.size());
      continue;
    }
    const Character character = decode(text);
    if (is_unsafe(character.code)) {
      result += escaped(character.code);
    } else {
      result += text.substr(0, character.size_bytes);
    }
    text.remove_prefix(character.size_bytes);
    valid_end -= character.size_bytes;
  }
  return result;
}

std::size_t display_width(std::string_view text) {
  if (is_plain(text)) return text.size();
  const Utf8Locale locale;
  std::size_t width = 0;
  while (!text.empty()) {
    const Character character = decode(text);
    width += character_width(character.code);
    text.remove_prefix(character.size_bytes);
  }
  return width;
}

std::string cut_to_width(std::string_view text, std::size_t width) {
  if (display_width(text) <= width) return std::string(text);
  if (width == 0) return {};
  const Utf8Locale locale;
  std::string result;
  std::size_t used = 0;
  std::string_view rest = text;
  while (!rest.empty()) {
    const Character character = decode(rest);
    used += character_width(character.code);
    if (used > width - 1) break;
    result += rest.substr(0, character.size_bytes);
    rest.remove_prefix(character.size_bytes);
  }
  return result + "…";
}

}  // namespace coppice::cli
