#include "pg/client_programs.h"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <set>

#include "base/error.h"
#include "base/process.h"
#include "base/text.h"
#include "pg/server_binaries.h"

namespace coppice::pg {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::seconds kQuick{20};

// "pg_dump (PostgreSQL) 15.20 (Debian …)"
std::optional<ClientProgram> examine(const fs::path& file) {
  if (::access(file.c_str(), X_OK) != 0) return std::nullopt;
  ChildOptions options;
  options.argv = {file.string(), "--version"};
  const RunResult run = run_program(std::move(options), kQuick);
  constexpr std::string_view kMark = "(PostgreSQL) ";
  const std::size_t at = run.output.find(kMark);
  if (!run.status.ok() || at == std::string::npos) return std::nullopt;
  ClientProgram found{file, 0, std::string(trim(run.output.substr(at + kMark.size())))};
  const char* const begin = found.version.data();
  std::from_chars(begin, begin + found.version.size(), found.major);
  return found;
}

}  // namespace

std::vector<ClientProgram> find_client_programs(const std::string& name) {
  std::vector<ClientProgram> found;
  std::vector<fs::path> wrappers;  // scripts that look at the name they are called by
  std::set<fs::path> seen;
  for (const fs::path& folder : program_folders()) {
    std::error_code ignored;
    const fs::path real = fs::canonical(folder / name, ignored);
    if (real.empty() || !seen.insert(real).second) continue;
    if (real.filename() != name) {
      wrappers.push_back(folder / name);
    } else if (auto program = examine(folder / name)) {
      found.push_back(std::move(*program));
    }
  }
  for (const fs::path& file : wrappers) {
    if (!found.empty()) break;
    if (auto program = examine(file)) found.push_back(std::move(*program));
  }
  std::stable_sort(found.begin(), found.end(),
                   [](const auto& a, const auto& b) { return a.major < b.major; });
  return found;
}

ClientProgram choose_client_program(const std::vector<ClientProgram>& found,
                                    const std::string& name, int major) {
  for (const ClientProgram& program : found) {
    if (program.major >= major) return program;
  }
  const std::string hint = fmt::format("install it: apt-get install postgresql-client-{}", major);
  if (found.empty()) {
    throw Error(ErrorCode::kNotFound, name + " is not installed on this machine", hint);
  }
  throw Error(ErrorCode::kUnsupported,
              fmt::format("PostgreSQL {} needs {} {} or newer, and the newest here is {}", major,
                          name, major, found.back().version),
              hint + "; packages of all versions are at apt.postgresql.org");
}

ClientProgram choose_client_program(const std::string& name, int major) {
  return choose_client_program(find_client_programs(name), name, major);
}

}  // namespace coppice::pg
