// The SQL that makes the catalog: schema_0001.sql creates an empty one of format 1, each later file
// takes it one format further. They are built into the program.
#pragma once

#include <string_view>

namespace coppice::catalog {

inline constexpr int kCatalogFormat = 2;

// What makes format `format` of the one before it; 1 to kCatalogFormat.
std::string_view schema_text(int format);

}  // namespace coppice::catalog
