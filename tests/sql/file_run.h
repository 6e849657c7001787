// Runs one .test file in its place.
#pragma once

#include <optional>
#include <string>

#include "place.h"
#include "test_file.h"

namespace coppice::sql_test {

struct RunOptions {
  std::filesystem::path program;  // coppice, for `command`
  std::filesystem::path media;    // what ${media} stands for
};

// nullopt when all went as the file says; else file:line, the SQL, and what differs.
std::optional<std::string> run_file(const TestFile& file, Place& place, const RunOptions& options);

}  // namespace coppice::sql_test
