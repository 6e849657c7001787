// Names and readings that the two parts of ViewStage share (view_stage.cpp, view_rows.cpp).
#pragma once

#include <fmt/core.h>

#include <set>
#include <string>

#include "base/text.h"
#include "pg/server_error.h"

namespace coppice::engine {

// A row of the stage; users' aliases never begin so.
inline constexpr const char* kRow = "_coppice_v";

// The stage's column for a column of the iterator; pos is 0.
inline std::string iterator_column(std::size_t number) { return fmt::format("_i{}", number); }

// "12,15": the columns of the parent that changed.
inline std::set<std::int64_t> ids_in(const std::string& mask) {
  std::set<std::int64_t> ids;
  for (const std::string& id : split(mask, ',')) ids.insert(std::stoll(id));
  return ids;
}

// SQL failed over what is in some row.
inline bool is_data_error(const pg::ServerError& error) {
  return error.sqlstate().starts_with("22") || error.sqlstate().starts_with("23");
}

}  // namespace coppice::engine
