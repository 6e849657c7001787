// Server binaries: which PostgreSQL servers are installed on this machine.
//
// Model    Looked for in the configured folder alone if there is one; else where pg_config points,
//          in the folders of the common packages and on PATH. Data of one major version needs the
//          binaries of that major version.
// Errors   kNotFound, kUnsupported: with the package to install.
#pragma once

#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace coppice::pg {

struct ServerBinaries {
  std::filesystem::path folder;
  int major = 0;
  std::string version;  // "15.20 (Debian 15.20-0+deb12u1)"

  std::filesystem::path postgres() const { return folder / "postgres"; }
  std::filesystem::path initdb() const { return folder / "initdb"; }
};

// All that are found, newest first, whatever their age.
std::vector<ServerBinaries> find_server_binaries(
    const std::optional<std::filesystem::path>& configured);

// Where programs of PostgreSQL may be: by the common packages, pg_config and PATH.
std::set<std::filesystem::path> program_folders();

// The newest of them, or those of `data_major` when data of that version exists already.
ServerBinaries choose_server_binaries(const std::optional<std::filesystem::path>& configured,
                                      std::optional<int> data_major);

}  // namespace coppice::pg
