#include "objects/object_store.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/error.h"

namespace coppice {

void check_object_name(std::string_view name) {
  constexpr std::size_t kMostBytes = 200;
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '/';
  };
  const bool parts = !name.empty() && name.front() != '/' && name.back() != '/' &&
                     name.find("//") == std::string_view::npos;
  if (parts && name.size() <= kMostBytes && std::all_of(name.begin(), name.end(), allowed)) return;
  throw Error(ErrorCode::kInvalidInput, fmt::format("\"{}\" is no name of an object", name));
}

}  // namespace coppice
