// Arrays of numbers between PostgreSQL's text form and the packed form in which workers take them.
//
// Model    One dimension, no NULL: numpy has neither a missing number nor ragged rows.
// Units    Packed: little-endian float8 or real, one after another.
// Errors   array_from_text throws kType for an array that has NULL or more dimensions.
// Source   PostgreSQL 15 documentation, section 8.15.6 (array input and output syntax).
#pragma once

#include <string>
#include <string_view>

#include "workers/value.h"

namespace coppice::exec {

std::string array_from_text(std::string_view text, ValueType type);
std::string array_text(const Value& value);

}  // namespace coppice::exec
