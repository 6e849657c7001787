#include "services/json_answer.h"

#include <simdjson.h>

#include <algorithm>

#include "base/text.h"

namespace coppice::services {

using simdjson::dom::element;

struct JsonAnswer::Parsed {
  simdjson::dom::parser parser;
  element root;
  bool whole = false;

  std::optional<element> at(const std::string& pointer) const {
    element found;
    if (!whole) return std::nullopt;
    if (pointer.empty()) return root;
    if (root.at_pointer(pointer).get(found) != simdjson::SUCCESS) return std::nullopt;
    return found;
  }
  template <typename Type>
  std::optional<Type> get(const std::string& pointer) const {
    const auto found = at(pointer);
    Type value;
    if (!found || found->get(value) != simdjson::SUCCESS) return std::nullopt;
    return value;
  }
};

JsonAnswer::JsonAnswer() : parsed_(std::make_unique<Parsed>()) {}
JsonAnswer::~JsonAnswer() = default;

std::optional<std::string> JsonAnswer::parse(std::string_view bytes) {
  const auto error = parsed_->parser.parse(bytes.data(), bytes.size()).get(parsed_->root);
  parsed_->whole = error == simdjson::SUCCESS;
  if (parsed_->whole) return std::nullopt;
  return std::string(simdjson::error_message(error));
}

bool JsonAnswer::has(const std::string& pointer) const {
  const auto found = parsed_->at(pointer);
  return found && !found->is_null();
}

bool JsonAnswer::is_null(const std::string& pointer) const {
  const auto found = parsed_->at(pointer);
  return found && found->is_null();
}

std::optional<std::string> JsonAnswer::text(const std::string& pointer) const {
  const auto found = parsed_->get<std::string_view>(pointer);
  return found ? std::optional<std::string>(*found) : std::nullopt;
}

std::optional<std::int64_t> JsonAnswer::integer(const std::string& pointer) const {
  return parsed_->get<std::int64_t>(pointer);
}

std::optional<double> JsonAnswer::number(const std::string& pointer) const {
  return parsed_->get<double>(pointer);
}

std::optional<bool> JsonAnswer::boolean(const std::string& pointer) const {
  return parsed_->get<bool>(pointer);
}

std::optional<std::vector<double>> JsonAnswer::numbers(const std::string& pointer) const {
  const auto array = parsed_->get<simdjson::dom::array>(pointer);
  if (!array) return std::nullopt;
  std::vector<double> numbers;
  for (const element item : *array) {
    double number = 0;
    if (item.get(number) != simdjson::SUCCESS) return std::nullopt;
    numbers.push_back(number);
  }
  return numbers;
}

std::optional<std::size_t> JsonAnswer::array_size(const std::string& pointer) const {
  const auto array = parsed_->get<simdjson::dom::array>(pointer);
  if (!array) return std::nullopt;
  // array::size() stops counting at 2^24 - 1.
  return static_cast<std::size_t>(std::distance(array->begin(), array->end()));
}

std::optional<std::string> JsonAnswer::json(const std::string& pointer) const {
  const auto found = parsed_->at(pointer);
  return found ? std::optional<std::string>(simdjson::minify(*found)) : std::nullopt;
}

std::string excerpt(std::string_view text, std::size_t most_characters) {
  std::string result;
  std::size_t characters = 0;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte & 0xC0) != 0x80 && ++characters > most_characters) {
      result += "…";
      break;
    }
    result += byte < 32 || byte == 127 ? ' ' : c;
  }
  while (const auto bad = first_invalid_utf8(result)) result[*bad] = '?';
  return std::string(trim(result));
}

bool holds_nul(const Value& value) {
  if (value.type != ValueType::kJson) return value.text.find('\0') != std::string::npos;
  for (std::size_t at = 0; (at = value.text.find("\\u0000", at)) != std::string::npos; ++at) {
    std::size_t slashes = 0;
    while (slashes < at && value.text[at - 1 - slashes] == '\\') ++slashes;
    if (slashes % 2 == 0) return true;
  }
  return false;
}

}  // namespace coppice::services
