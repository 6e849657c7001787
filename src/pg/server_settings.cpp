#include "pg/server_settings.h"

#include <fmt/format.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "base/error.h"
#include "base/files.h"
#include "base/text.h"

namespace coppice::pg {

namespace fs = std::filesystem;

namespace {

constexpr std::uint64_t kMiB = 1 << 20;

std::optional<std::uint64_t> read_limit(const fs::path& file) {
  try {
    const std::string content = read_file(file);
    const std::string_view digits = trim(content);  // "max" when there is no limit
    std::uint64_t bytes = 0;
    const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), bytes);
    if (parsed.ec == std::errc()) return bytes;
  } catch (const Error&) {
    // No such control group.
  }
  return std::nullopt;
}

// The least limit on the way from our control group to the root; both versions of the interface.
std::uint64_t control_group_limit() {
  std::uint64_t least = UINT64_MAX;
  const auto consider = [&](const fs::path& file) {
    if (const auto limit = read_limit(file)) least = std::min(least, *limit);
  };
  std::string groups;
  try {
    groups = read_file("/proc/self/cgroup");
  } catch (const Error&) {
    return least;
  }
  for (const std::string& line : split(groups, '\n')) {
    const std::vector<std::string> parts = split(line, ':');
    if (parts.size() < 3) continue;
    const bool second = parts[1].empty();
    if (!second && parts[1].find("memory") == std::string::npos) continue;
    const fs::path root = second ? "/sys/fs/cgroup" : "/sys/fs/cgroup/memory";
    const char* file = second ? "memory.max" : "memory.limit_in_bytes";
    for (fs::path group = fs::path(parts[2]).relative_path(); !group.empty();
         group = group.parent_path()) {
      consider(root / group / file);
    }
    consider(root / file);
  }
  return least;
}

std::uint64_t folder_bytes(const fs::path& folder, bool free_only) {
  struct statvfs facts;
  if (::statvfs(folder.c_str(), &facts) != 0) return 0;
  return facts.f_frsize * (free_only ? facts.f_bavail : facts.f_blocks);
}

std::string mebibytes(std::uint64_t bytes) { return fmt::format("{}MB", bytes / kMiB); }

// A value of a configuration file: 'text', quotes doubled.
std::string quote_setting(std::string_view text) {
  std::string result = "'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') result += c;
    result += c;
  }
  return result + "'";
}

// unix_socket_directories is a list: one path, in double quotes so that nothing splits it.
std::string quoted_list_item(const fs::path& folder) {
  std::string item = "\"";
  for (const char c : folder.string()) item += c == '"' ? "\"\"" : std::string(1, c);
  return quote_setting(item + "\"");
}

std::string memory_settings(const Machine& machine) {
  const std::uint64_t memory = machine.memory_bytes;
  // An eighth: media workers, the engine and the system's own cache need the rest.
  const std::uint64_t buffers = std::clamp(memory / 8, 64 * kMiB, 2048 * kMiB);
  const std::uint64_t maintenance = std::clamp(memory / 16, 64 * kMiB, 1024 * kMiB);
  const std::uint64_t log_size = std::clamp(machine.free_disk_bytes / 10, 512 * kMiB, 4096 * kMiB);
  std::string text;
  text += fmt::format("shared_buffers = {}\n", mebibytes(buffers));
  text += fmt::format("effective_cache_size = {}\n", mebibytes(std::max(memory / 2, buffers)));
  text += fmt::format("work_mem = {}\n", mebibytes(std::clamp(memory / 256, 4 * kMiB, 64 * kMiB)));
  text += fmt::format("maintenance_work_mem = {}\n", mebibytes(maintenance));
  text += fmt::format("autovacuum_work_mem = {}\n", mebibytes(std::min(maintenance, 256 * kMiB)));
  text += fmt::format("max_wal_size = {}\n", mebibytes(log_size));
  // One runaway query must not fill the disk that the data is on.
  text += fmt::format("temp_file_limit = {}\n",
                      mebibytes(std::max(machine.free_disk_bytes / 2, 1024 * kMiB)));
  if (machine.shared_memory_bytes < 256 * kMiB) {
    // Else parallel queries fail with "could not resize shared memory segment".
    text += "dynamic_shared_memory_type = mmap\n";
  }
  return text;
}

constexpr const char* kFixedSettings = R"(listen_addresses = ''
port = 5432
unix_socket_permissions = 0700
cluster_name = 'coppice'
max_connections = 100
max_locks_per_transaction = 256
jit = off
random_page_cost = 1.1
# Coppice makes its own backups: no replica reads this log, so bulk loads may skip it.
wal_level = minimal
max_wal_senders = 0
wal_compression = on
checkpoint_timeout = 15min
checkpoint_completion_target = 0.9
# Failed statements are the client's business; logged, they would also leak what users wrote.
log_min_messages = log
log_min_error_statement = panic
log_checkpoints = off
log_line_prefix = '%m [%p] '
logging_collector = off
lc_messages = 'C'
)";

}  // namespace

Machine examine_machine(const fs::path& home) {
  Machine machine;
  machine.memory_bytes = static_cast<std::uint64_t>(::sysconf(_SC_PHYS_PAGES)) *
                         static_cast<std::uint64_t>(::sysconf(_SC_PAGE_SIZE));
  machine.memory_bytes = std::min(machine.memory_bytes, control_group_limit());
  machine.shared_memory_bytes = folder_bytes("/dev/shm", false);
  machine.free_disk_bytes = folder_bytes(home, true);
  return machine;
}

std::string render_settings(const ServerSettings& settings) {
  std::string text =
      "# Written by Coppice at each start of the server: changes here are lost. Settings of your\n"
      "# own go into local.conf in this folder, which is read after this file.\n";
  text += kFixedSettings;
  text += "unix_socket_directories = " + quoted_list_item(settings.socket_folder) + "\n";
  text += memory_settings(settings.machine);
  if (settings.major >= 15) text += "log_startup_progress_interval = 1s\n";
  // After a crash, one call for the whole file system instead of one for each of a thousand files.
  if (settings.major >= 14) text += "recovery_init_sync_method = syncfs\n";
  if (!settings.durable) {
    text += "fsync = off\nsynchronous_commit = off\nfull_page_writes = off\n";
  }
  for (const auto& [name, value] : settings.further)
    text += name + " = " + quote_setting(value) + "\n";
  return text;
}

std::string render_includes() {
  return "\n# Coppice's settings, then the user's own.\n"
         "include = 'coppice.conf'\ninclude_if_exists = 'local.conf'\n";
}

std::string render_access() {
  return "# Written by Coppice. There is no way in but the unix socket, and there the account of\n"
         "# the operating system decides (pg_ident.conf).\n"
         "local all all peer map=coppice\n";
}

std::string render_account_map(const std::vector<std::string>& accounts,
                               const std::vector<std::string>& roles) {
  std::string text = "# Written by Coppice: map, account of the operating system, database role.\n";
  for (const std::string& account : accounts) {
    for (const std::string& role : roles) {
      COPPICE_ASSERT((account + role).find_first_of("\"\n\r") == std::string::npos);
      text += fmt::format("coppice \"{}\" \"{}\"\n", account, role);
    }
  }
  return text;
}

}  // namespace coppice::pg
