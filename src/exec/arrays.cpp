#include "exec/arrays.h"

#include <fmt/core.h>

#include <bit>
#include <cstring>

#include "base/error.h"
#include "exec/constants.h"

namespace coppice::exec {
namespace {

static_assert(std::endian::native == std::endian::little,
              "numbers are packed as they lie in memory");

template <class Number>
void append(std::string& packed, Number number) {
  char bytes[sizeof number];
  std::memcpy(bytes, &number, sizeof number);
  packed.append(bytes, sizeof number);
}

template <class Number>
std::string texts_of(std::string_view packed) {
  std::string text = "{";
  for (std::size_t at = 0; at < packed.size(); at += sizeof(Number)) {
    Number number;
    std::memcpy(&number, packed.data() + at, sizeof number);
    if (at > 0) text += ',';
    text += float_text(number);
  }
  return text + "}";
}

}  // namespace

std::string array_from_text(std::string_view text, ValueType type) {
  const auto refuse = [&](const char* what) {
    throw Error(ErrorCode::kType, fmt::format("the {} has {}", sql_type_name(type), what));
  };
  // '[2:4]={1,2,3}' names other bounds than 1 to n; Python counts from 0 in any case.
  if (text.starts_with('[')) text.remove_prefix(text.find('=') + 1);
  if (text.starts_with("{{")) refuse("more than one dimension");
  COPPICE_ASSERT(text.size() >= 2 && text.front() == '{' && text.back() == '}');
  text = text.substr(1, text.size() - 2);
  std::string packed;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(','), text.size());
    const std::string_view item = text.substr(0, end);
    if (item == "NULL") refuse("an element that is NULL");
    const double number = float_from_text(item);
    if (type == ValueType::kRealArray) {
      append(packed, static_cast<float>(number));
    } else {
      append(packed, number);
    }
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return packed;
}

std::string array_text(const Value& value) {
  return value.type == ValueType::kRealArray ? texts_of<float>(value.text)
                                             : texts_of<double>(value.text);
}

}  // namespace coppice::exec
