// The version of the program, as CMakeLists.txt at the root says it.
#pragma once

#include <string_view>

namespace coppice {

std::string_view program_version();  // "0.1.0"

}  // namespace coppice
