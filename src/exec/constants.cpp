#include "exec/constants.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>
#include <limits>

#include "base/error.h"
#include "base/text.h"
#include "exec/arrays.h"

namespace coppice::exec {
namespace {

template <class Number>
std::optional<Number> parse_number(std::string_view text) {
  Number number{};
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (code != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

std::string_view number_text(const PgQuery__AConst& constant, std::string& buffer) {
  if (constant.val_case == PG_QUERY__A__CONST__VAL_FVAL) return constant.fval->fval;
  buffer = std::to_string(constant.ival->ival);
  return buffer;
}

Value make_value(ValueType type) {
  Value value;
  value.type = type;
  return value;
}

std::optional<Value> number_value(const PgQuery__AConst& constant, ValueType type) {
  std::string buffer;
  const std::string_view text = number_text(constant, buffer);
  Value value = make_value(type);
  if (type == ValueType::kInteger) {
    const auto integer = parse_number<std::int64_t>(text);
    if (!integer) return std::nullopt;
    value.integer = *integer;
    return value;
  }
  const auto number = parse_number<double>(text);
  if (type != ValueType::kFloat || !number) return std::nullopt;
  value.number = *number;
  return value;
}

[[noreturn]] void throw_unreadable(std::string_view text, ValueType type) {
  throw Error(ErrorCode::kInternal, fmt::format("PostgreSQL gave \"{}\" where a {} was expected",
                                                text, sql_type_name(type)));
}

}  // namespace

double float_from_text(std::string_view text) {
  if (text == "NaN") return std::numeric_limits<double>::quiet_NaN();
  if (text == "Infinity") return std::numeric_limits<double>::infinity();
  if (text == "-Infinity") return -std::numeric_limits<double>::infinity();
  const auto number = parse_number<double>(text);
  if (!number) throw_unreadable(text, ValueType::kFloat);
  return *number;
}

namespace {

// The shortest digits of a double or float.
template <class Number>
std::string shortest_text(Number number) {
  if (std::isnan(number)) return "NaN";
  if (std::isinf(number)) return number > 0 ? "Infinity" : "-Infinity";
  std::array<char, 64> buffer;
  const auto write = [&](std::chars_format format) {
    const auto end =
        std::to_chars(buffer.data(), buffer.data() + buffer.size(), number, format).ptr;
    return std::string(buffer.data(), end);
  };
  const std::string scientific = write(std::chars_format::scientific);
  const int exponent = std::stoi(scientific.substr(scientific.find('e') + 1));
  constexpr int kFixedDigits = std::numeric_limits<Number>::digits10;
  return exponent < -4 || exponent >= kFixedDigits ? scientific : write(std::chars_format::fixed);
}

// Media and text may stand for each other: a function's result type decides what the text is.
bool holds_text(ValueType type) {
  return type == ValueType::kText || type == ValueType::kJson || is_media(type);
}

}  // namespace

// As PostgreSQL's float8out: scientific from 1e+15 and below 1e-04; float4out: from 1e+06.
std::string float_text(double number) { return shortest_text(number); }
std::string float_text(float number) { return shortest_text(number); }

std::string sql_name_of(ValueType type) {
  if (type == ValueType::kFloatArray) return "double precision[]";
  return type == ValueType::kFloat ? "double precision" : sql_type_name(type);
}

std::optional<Value> constant_value(const sql::Node* node, ValueType type) {
  const auto* const constant = sql::as<PgQuery__AConst>(node);
  if (!constant) return std::nullopt;
  if (constant->isnull) return Value{};
  switch (constant->val_case) {
    case PG_QUERY__A__CONST__VAL_IVAL:
    case PG_QUERY__A__CONST__VAL_FVAL:
      return number_value(*constant, type);
    case PG_QUERY__A__CONST__VAL_BOOLVAL: {
      if (type != ValueType::kBoolean) return std::nullopt;
      Value value = make_value(type);
      value.boolean = constant->boolval->boolval != 0;
      return value;
    }
    case PG_QUERY__A__CONST__VAL_SVAL: {
      if (type != ValueType::kText && !is_media(type)) return std::nullopt;
      Value value = make_value(type);
      value.text = constant->sval->sval;
      return value;
    }
    default:
      return std::nullopt;
  }
}

Value value_from_text(std::string_view text, ValueType type) {
  Value value = make_value(type);
  if (type == ValueType::kBoolean) {
    if (text != "t" && text != "f") throw_unreadable(text, type);
    value.boolean = text == "t";
  } else if (type == ValueType::kInteger) {
    const auto integer = parse_number<std::int64_t>(text);
    if (!integer) throw_unreadable(text, type);
    value.integer = *integer;
  } else if (type == ValueType::kFloat) {
    value.number = float_from_text(text);
  } else if (is_array(type)) {
    value.text = array_from_text(text, type);
  } else {
    value.text = text;
  }
  return value;
}

std::variant<std::optional<std::string>, CellFailure> text_from_value(const Value& value,
                                                                      ValueType promised) {
  if (value.is_null()) return std::optional<std::string>();
  const bool widened = value.type == ValueType::kInteger && promised == ValueType::kFloat;
  if (value.type != promised && !widened) {
    return CellFailure{"type", fmt::format("the function gave a {}, not a {}",
                                           sql_type_name(value.type), sql_type_name(promised))};
  }
  if (value.type == ValueType::kBoolean)
    return std::optional<std::string>(value.boolean ? "t" : "f");
  if (value.type == ValueType::kInteger) return std::optional(std::to_string(value.integer));
  if (value.type == ValueType::kFloat) return std::optional(float_text(value.number));
  if (is_array(value.type)) return std::optional(array_text(value));
  COPPICE_ASSERT(holds_text(value.type));
  if (const auto at = first_invalid_utf8(value.text)) {
    return CellFailure{"encoding",
                       fmt::format("the function gave text that is not UTF-8 at byte {}", *at)};
  }
  return std::optional(value.text);
}

}  // namespace coppice::exec
