// The parts that the table of built-in signatures is put together from; only for builtin_*.cpp.
#pragma once

#include <string>
#include <vector>

#include "workers/signature.h"

namespace coppice {

// Every built-in is a pure function of its arguments: IMMUTABLE.
Signature builtin_function(std::string name, std::vector<Parameter> parameters, ValueType result,
                           std::string summary);

void add_image_filters(std::vector<Signature>& table);
void add_edits(std::vector<Signature>& table);
void add_iterators(std::vector<Signature>& table);

}  // namespace coppice
