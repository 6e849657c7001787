// Between PostgreSQL's text form, constants in SQL, and the Values that workers take.
//
// Units    As Value. Floats are written in the shortest form that reads back the same.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "sql/tree.h"
#include "workers/value.h"

namespace coppice::exec {

// "bigint", "double precision", …: the type as format_type() writes it, without a schema.
std::string sql_name_of(ValueType type);

// The value of a plain constant as an argument of that type; nullopt when it is no constant, or one
// that PostgreSQL had better convert ('7'::bigint, 3.7 as bigint).
std::optional<Value> constant_value(const sql::Node* node, ValueType type);

// Between numbers and PostgreSQL's text form. float_from_text throws kInternal for other texts.
double float_from_text(std::string_view text);
std::string float_text(double number);
std::string float_text(float number);

// From PostgreSQL's text form. Throws kInternal when the text is not of that type, kType for an
// array that workers do not take.
Value value_from_text(std::string_view text, ValueType type);

// To PostgreSQL's text form. A CellFailure of type "type" when the value is not of the type that
// the function promises, of type "encoding" when PostgreSQL could not hold it.
std::variant<std::optional<std::string>, CellFailure> text_from_value(const Value& value,
                                                                      ValueType promised);

}  // namespace coppice::exec
