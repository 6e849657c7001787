// Client programs: pg_dump and pg_restore of a version that fits.
//
// Model    Looked for where servers are, and on PATH. pg_dump reads servers of its own version and
//          older ones; pg_restore reads what a pg_dump of its own version or an older one wrote.
//          The one of the very version is taken where it is installed, else the next newer.
// Errors   kNotFound, kUnsupported: with the package to install.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace coppice::pg {

struct ClientProgram {
  std::filesystem::path file;
  int major = 0;
  std::string version;  // "15.20 (Debian 15.20-0+deb12u1)"
};

// All of that name ("pg_dump"), the oldest first.
std::vector<ClientProgram> find_client_programs(const std::string& name);

// The one for a server, or a dump, of a major version.
ClientProgram choose_client_program(const std::string& name, int major);
// Of those given.
ClientProgram choose_client_program(const std::vector<ClientProgram>& found,
                                    const std::string& name, int major);

}  // namespace coppice::pg
