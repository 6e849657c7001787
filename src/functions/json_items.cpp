#include "functions/json_items.h"

#include <fmt/core.h>

#include "base/text.h"
#include "functions/failure.h"

namespace coppice::functions {
namespace {

[[noreturn]] void fail_broken(std::string_view taker) {
  throw FunctionFailure("type", fmt::format("{} takes a JSON array, and this is not JSON", taker));
}

// The place behind the string that begins at `at`; npos when it does not end.
std::size_t end_of_string(std::string_view text, std::size_t at) {
  for (++at; at < text.size(); ++at) {
    if (text[at] == '\\') {
      ++at;
    } else if (text[at] == '"') {
      return at + 1;
    }
  }
  return std::string_view::npos;
}

// The place of the comma behind the element that begins at `at`, or the end of the text.
std::size_t end_of_item(std::string_view text, std::size_t at) {
  std::string open;  // the brackets that must still be closed
  while (at < text.size()) {
    const char sign = text[at];
    if (sign == '"') {
      at = end_of_string(text, at);
      continue;
    }
    if (sign == ',' && open.empty()) return at;
    if (sign == '[' || sign == '{') open += sign == '[' ? ']' : '}';
    if (sign == ']' || sign == '}') {
      if (open.empty() || open.back() != sign) return std::string_view::npos;
      open.pop_back();
    }
    ++at;
  }
  return at == text.size() && open.empty() ? at : std::string_view::npos;
}

}  // namespace

bool is_json_null(std::string_view text) { return trim(text) == "null"; }

std::vector<std::string_view> json_items(std::string_view text, std::string_view taker) {
  text = trim(text);
  if (!text.starts_with('[')) {
    throw FunctionFailure("type",
                          fmt::format("{} takes a JSON array, not {}", taker,
                                      text.starts_with('{') ? "an object" : "a single value"));
  }
  if (text.size() < 2 || !text.ends_with(']')) fail_broken(taker);
  text = text.substr(1, text.size() - 2);
  std::vector<std::string_view> items;
  if (trim(text).empty()) return items;
  for (std::size_t begin = 0;;) {
    const std::size_t end = end_of_item(text, begin);
    if (end == std::string_view::npos) fail_broken(taker);
    const std::string_view item = trim(text.substr(begin, end - begin));
    if (item.empty()) fail_broken(taker);
    items.push_back(item);
    if (end == text.size()) return items;
    begin = end + 1;
  }
}

}  // namespace coppice::functions
