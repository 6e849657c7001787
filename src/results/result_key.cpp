#include "results/result_key.h"

#include <fmt/core.h>

#include <bit>

#include "base/error.h"

namespace coppice {
namespace {

std::string float_bits(double number) {
  if (number == 0) number = 0;  // -0 is equal to it
  return fmt::format("{:016x}", std::bit_cast<std::uint64_t>(number));
}

std::string form_of(const Value& value) {
  switch (value.type) {
    case ValueType::kBoolean:
      return value.boolean ? "t" : "f";
    case ValueType::kInteger:
      return std::to_string(value.integer);
    case ValueType::kFloat:
      return float_bits(value.number);
    default:
      return value.text;
  }
}

}  // namespace

ResultKey result_key(const DurableFunction& function, std::span<const Value* const> arguments) {
  constexpr char kEnd = '\0';
  std::string bytes = "coppice result 1";
  bytes += kEnd;
  bytes += function.id + kEnd;
  bytes += function.code + kEnd;
  for (const Value* const argument : arguments) {
    COPPICE_ASSERT(!argument->is_null());
    const std::string form = form_of(*argument);
    bytes += sql_type_name(argument->type) + kEnd;
    bytes += std::to_string(form.size()) + ":";
    bytes += form;
  }
  return sha256(bytes);
}

std::int64_t lock_number(const ResultKey& key) {
  std::uint64_t number = 0;
  for (int i = 0; i < 8; ++i) number = (number << 8) | key[static_cast<std::size_t>(i)];
  return static_cast<std::int64_t>(number);
}

}  // namespace coppice
