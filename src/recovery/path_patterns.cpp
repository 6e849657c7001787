#include "recovery/path_patterns.h"

#include <fnmatch.h>

#include <algorithm>

#include "base/error.h"

namespace coppice::recovery {
namespace {

bool is_match(const std::string& pattern, const char* text) {
  return ::fnmatch(pattern.c_str(), text, FNM_PATHNAME) == 0;
}

bool match_one(const std::string& pattern, const std::string& path) {
  if (pattern.starts_with('/')) return is_match(pattern, path.c_str());
  if (pattern.find('/') == std::string::npos) {
    return is_match(pattern, path.c_str() + path.rfind('/') + 1);
  }
  for (std::size_t at = path.find('/'); at != std::string::npos; at = path.find('/', at + 1)) {
    if (is_match(pattern, path.c_str() + at + 1)) return true;
  }
  return false;
}

}  // namespace

PathPatterns::PathPatterns(std::vector<std::string> patterns) : patterns_(std::move(patterns)) {
  for (std::string& pattern : patterns_) {
    while (pattern.size() > 1 && pattern.ends_with('/')) pattern.pop_back();
    if (!pattern.empty()) continue;
    throw Error(ErrorCode::kUsage, "a pattern of what is excluded is empty",
                "write it like: --exclude '*.tmp'");
  }
}

bool PathPatterns::match(const std::string& path) const {
  return std::any_of(patterns_.begin(), patterns_.end(),
                     [&](const std::string& pattern) { return match_one(pattern, path); });
}

}  // namespace coppice::recovery
