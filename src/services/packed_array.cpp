#include "services/packed_array.h"

#include <fmt/core.h>

#include <bit>
#include <cmath>
#include <cstring>

namespace coppice::services {

static_assert(std::endian::native == std::endian::little, "values are packed as they lie");

namespace {

template <typename Number>
Number number_at(const std::string& bytes, std::size_t index) {
  Number number;
  std::memcpy(&number, bytes.data() + index * sizeof number, sizeof number);
  return number;
}

template <typename Number>
void append(std::string& bytes, double number) {
  const auto narrowed = static_cast<Number>(number);
  bytes.append(reinterpret_cast<const char*>(&narrowed), sizeof narrowed);
}

}  // namespace

Value pack_array(const std::vector<double>& numbers, ValueType type) {
  Value value;
  value.type = type;
  value.text.reserve(numbers.size() * element_bytes(type));
  for (const double number : numbers) {
    type == ValueType::kRealArray ? append<float>(value.text, number)
                                  : append<double>(value.text, number);
  }
  return value;
}

std::vector<double> unpack_array(const Value& value) {
  std::vector<double> numbers(value.text.size() / element_bytes(value.type));
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    numbers[i] = value.type == ValueType::kRealArray ? number_at<float>(value.text, i)
                                                     : number_at<double>(value.text, i);
  }
  return numbers;
}

std::string array_json(const Value& value) {
  std::string text = "[";
  for (const double number : unpack_array(value)) {
    if (text.size() > 1) text += ", ";
    if (!std::isfinite(number)) {
      text += "null";
    } else if (value.type == ValueType::kRealArray) {
      text += fmt::format("{}", static_cast<float>(number));
    } else {
      text += fmt::format("{}", number);
    }
  }
  return text + "]";
}

}  // namespace coppice::services
