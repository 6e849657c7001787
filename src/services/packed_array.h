// Arrays of numbers as workers' values have them: packed, little-endian.
#pragma once

#include <string>
#include <vector>

#include "workers/value.h"

namespace coppice::services {

// `type` is an array type.
Value pack_array(const std::vector<double>& numbers, ValueType type);
std::vector<double> unpack_array(const Value& value);
// "[0.5, 1]"; what JSON has no number for is null.
std::string array_json(const Value& value);

}  // namespace coppice::services
