// The SQL that creates an empty catalog: schema_0001.sql, built into the program.
#pragma once

#include <string_view>

namespace coppice::catalog {

std::string_view schema_text();

}  // namespace coppice::catalog
