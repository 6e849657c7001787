// Server process: what tells a running server from the traces of a dead one.
//
// Model    A number in postmaster.pid proves nothing: after a crash another process may have it.
//          A process is this server's when it is called postgres and works in the data folder.
//          Zombies count as dead.
// Source   PostgreSQL's miscadmin.h for the lines of postmaster.pid; proc(5).
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace coppice::pg {

struct PostmasterFile {
  pid_t pid = 0;
  std::filesystem::path socket_folder;
  std::string status;  // "starting", "stopping", "ready", "standby"; empty very early
};
// nullopt when the file is missing or unreadable.
std::optional<PostmasterFile> read_postmaster_file(const std::filesystem::path& data);

bool is_running(pid_t pid);
// True when `pid` is a PostgreSQL process that works in `data`.
bool serves(pid_t pid, const std::filesystem::path& data);
// All of them: after the main process was killed, its children may live on for a while.
std::vector<pid_t> find_server_processes(const std::filesystem::path& data);

// What the end of a log says about why a server did not start, as an Error with the fix.
// `log` is what this start wrote, `log_file` where to read more.
Error explain_failed_start(std::string_view log, const std::filesystem::path& log_file);

// False also when it cannot be seen.
bool is_there(const std::filesystem::path& file);
// The end of the file, but nothing before `offset` and at most 64 KiB; empty when unreadable.
std::string read_tail(const std::filesystem::path& file, std::uint64_t offset);
std::uint64_t size_of(const std::filesystem::path& file);

}  // namespace coppice::pg
