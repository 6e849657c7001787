#include "pg/server_binaries.h"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <set>

#include "base/error.h"
#include "base/process.h"
#include "base/text.h"
#include "pg/probe.h"

namespace coppice::pg {

namespace fs = std::filesystem;

namespace {

constexpr std::chrono::seconds kQuick{20};

bool is_program(const fs::path& file) { return ::access(file.c_str(), X_OK) == 0; }

// "postgres (PostgreSQL) 15.20 (Debian …)" -> "15.20 (Debian …)"
std::optional<ServerBinaries> examine(const fs::path& folder) {
  const fs::path postgres = folder / "postgres";
  if (!is_program(postgres) || !is_program(folder / "initdb")) return std::nullopt;
  const RunResult run = run_program({.argv = {postgres.string(), "--version"}}, kQuick);
  constexpr std::string_view kMark = "(PostgreSQL) ";
  const std::size_t at = run.output.find(kMark);
  if (!run.status.ok() || at == std::string::npos) return std::nullopt;
  ServerBinaries found{folder, 0, std::string(trim(run.output.substr(at + kMark.size())))};
  std::from_chars(found.version.data(), found.version.data() + found.version.size(), found.major);
  return found;
}

std::optional<fs::path> pg_config_folder() {
  try {
    const RunResult run = run_program({.argv = {"pg_config", "--bindir"}}, kQuick);
    if (run.status.ok()) return fs::path(trim(run.output));
  } catch (const Error&) {
    // Not installed: it belongs to the development package.
  }
  return std::nullopt;
}

void add_packaged(std::set<fs::path>& folders, const fs::path& parent, std::string_view prefix) {
  std::error_code ignored;
  for (const fs::directory_entry& entry : fs::directory_iterator(parent, ignored)) {
    if (entry.path().filename().string().rfind(prefix, 0) == 0)
      folders.insert(entry.path() / "bin");
  }
}

std::string install_hint(int major) {
  return "install it: apt-get install postgresql-" + std::to_string(major) +
         "; or set the folder of its programs as database.server_binaries";
}

}  // namespace

std::set<fs::path> program_folders() {
  std::set<fs::path> folders{"/usr/local/pgsql/bin", "/usr/bin", "/usr/local/bin"};
  add_packaged(folders, "/usr/lib/postgresql", "");  // Debian, Ubuntu
  add_packaged(folders, "/usr", "pgsql-");           // packages of the PostgreSQL project for RPM
  if (const char* path = std::getenv("PATH")) {
    for (const std::string& folder : split(path, ':')) folders.insert(folder);
  }
  if (const auto folder = pg_config_folder()) folders.insert(*folder);
  return folders;
}

std::vector<ServerBinaries> find_server_binaries(const std::optional<fs::path>& configured) {
  std::vector<ServerBinaries> found;
  std::set<fs::path> seen;
  for (const fs::path& folder : configured ? std::set<fs::path>{*configured} : program_folders()) {
    std::error_code ignored;
    const fs::path real = fs::canonical(folder / "postgres", ignored);
    if (real.empty() || !seen.insert(real).second) continue;
    if (auto binaries = examine(folder)) found.push_back(std::move(*binaries));
  }
  std::stable_sort(found.begin(), found.end(),
                   [](const auto& a, const auto& b) { return a.major > b.major; });
  return found;
}

ServerBinaries choose_server_binaries(const std::optional<fs::path>& configured,
                                      std::optional<int> data_major) {
  const std::vector<ServerBinaries> found = find_server_binaries(configured);
  if (found.empty()) {
    throw Error(ErrorCode::kNotFound,
                configured ? "there is no PostgreSQL server in " + configured->string()
                           : std::string("no PostgreSQL server is installed on this machine"),
                "install one (Debian: apt-get install postgresql), or set database.url to use a "
                "server elsewhere");
  }
  if (data_major) {
    for (const ServerBinaries& binaries : found) {
      if (binaries.major == *data_major) return binaries;
    }
    throw Error(ErrorCode::kUnsupported,
                "the data was made by PostgreSQL " + std::to_string(*data_major) +
                    ", but the server installed here is " + found.front().version,
                install_hint(*data_major));
  }
  if (found.front().major < kOldestServer) {
    throw Error(ErrorCode::kUnsupported,
                "the PostgreSQL server in " + found.front().folder.string() + " is " +
                    found.front().version + "; Coppice needs " + std::to_string(kOldestServer) +
                    " or newer",
                install_hint(15));
  }
  return found.front();
}

}  // namespace coppice::pg
