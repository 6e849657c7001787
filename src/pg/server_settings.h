// Server settings: the configuration files of a private server.
//
// Model    postgresql.conf is initdb's, with two lines at its end: coppice.conf, rewritten at each
//          start so that it fits the machine and the place of the home, and local.conf, which is
//          the user's and wins. Access is by peer authentication: an account of the system may be
//          a role of the database when pg_ident.conf says so.
// Units    Bytes.
// Source   PostgreSQL documentation, chapters 20 (server configuration) and 21 (authentication).
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace coppice::pg {

struct Machine {
  std::uint64_t memory_bytes = 0;         // of the machine or, if less, of our control group
  std::uint64_t shared_memory_bytes = 0;  // the size of /dev/shm: 64 MiB in most containers
  std::uint64_t free_disk_bytes = 0;      // where the home is
};
Machine examine_machine(const std::filesystem::path& home);

struct ServerSettings {
  Machine machine;
  int major = 0;
  std::filesystem::path socket_folder;
  bool durable = true;
  std::map<std::string, std::string> further;  // as given, last
};
std::string render_settings(const ServerSettings& settings);  // coppice.conf
std::string render_includes();                                // appended to postgresql.conf
std::string render_access();                                  // pg_hba.conf

// pg_ident.conf: each of `accounts` may connect as each of `roles`.
std::string render_account_map(const std::vector<std::string>& accounts,
                               const std::vector<std::string>& roles);

}  // namespace coppice::pg
