// Patterns of paths: what a backup leaves out.
//
// Model    As a shell's: * ? […], where * and ? match no slash. A pattern without a slash is
//          compared with each name; one that begins with a slash with the whole path; another with
//          each end of the path that begins behind a slash. What is below a folder that matches is
//          left out with it.
// Threads  Immutable once made.
// Errors   kUsage for an empty pattern.
#pragma once

#include <string>
#include <vector>

namespace coppice::recovery {

class PathPatterns {
 public:
  explicit PathPatterns(std::vector<std::string> patterns);
  // `path` is absolute.
  bool match(const std::string& path) const;

 private:
  std::vector<std::string> patterns_;
};

}  // namespace coppice::recovery
