#include "pg/server_process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>

#include "base/files.h"
#include "base/text.h"

namespace coppice::pg {

namespace fs = std::filesystem;

namespace {

fs::path proc(pid_t pid, const char* name) {
  return fs::path("/proc") / std::to_string(pid) / name;
}

std::string read_or_empty(const fs::path& file) {
  try {
    return read_file(file);
  } catch (const Error&) {
    return {};
  }
}

struct Pattern {
  std::string_view text;  // in the log
  ErrorCode code;
  std::string_view message;
  std::string_view hint;
};

// In order: the first that the log contains decides.
constexpr Pattern kPatterns[] = {
    {"No space left on device", ErrorCode::kDiskFull,
     "the database server cannot start: its disk is full", "free some space on that disk"},
    {"Disk quota exceeded", ErrorCode::kDiskFull,
     "the database server cannot start: the disk quota is used up", "free some space"},
    {"are incompatible with server", ErrorCode::kUnsupported,
     "the database server cannot start: the data was made by another version of PostgreSQL",
     "install that version beside this one"},
    {"could not locate a valid checkpoint record", ErrorCode::kIntegrity,
     "the database server cannot start: its data is damaged", "restore the home from a backup"},
    {"incorrect checksum in control file", ErrorCode::kIntegrity,
     "the database server cannot start: its data is damaged", "restore the home from a backup"},
    {"unrecognized configuration parameter", ErrorCode::kUsage,
     "the database server cannot start: a setting is wrong", "correct pgdata/local.conf"},
    {"contains errors", ErrorCode::kUsage, "the database server cannot start: a setting is wrong",
     "correct pgdata/local.conf"},
    {"invalid value for parameter", ErrorCode::kUsage,
     "the database server cannot start: a setting is wrong", "correct pgdata/local.conf"},
    {"Cannot allocate memory", ErrorCode::kUnavailable,
     "the database server cannot start: not enough memory",
     "free memory, or set a smaller shared_buffers in pgdata/local.conf"},
    {"still in use", ErrorCode::kBusy,
     "the database server cannot start: processes of an earlier one still use its memory",
     "end the processes called postgres that work on this home, then try again"},
    {"Permission denied", ErrorCode::kIo,
     "the database server cannot start: it may not open one of its files",
     "give the files under pgdata back to the account that owns the folder"},
    {"invalid permissions", ErrorCode::kIo,
     "the database server cannot start: others may read its data", "chmod 0700 the pgdata folder"},
};

constexpr std::string_view kTellingMarks[] = {
    "FATAL:",        "PANIC:",      "ERROR:", "error:", "HINT:", "DETAIL:", "LOG:  unrecognized",
    "LOG:  invalid", "LOG:  syntax"};

// The lines that say why, at most six. Wrong settings are told at the level LOG.
std::string telling_lines(std::string_view log) {
  std::vector<std::string> telling;
  for (const std::string& line : split(log, '\n')) {
    for (const std::string_view mark : kTellingMarks) {
      const std::size_t at = line.find(mark);
      if (at == std::string::npos) continue;
      telling.push_back(line.substr(at));
      break;
    }
  }
  if (telling.empty() && !trim(log).empty()) telling = split(trim(log), '\n');
  if (telling.size() > 6) telling.erase(telling.begin(), telling.end() - 6);
  return join(telling, "\n  ");
}

}  // namespace

std::optional<PostmasterFile> read_postmaster_file(const fs::path& data) {
  const std::string content = read_or_empty(data / "postmaster.pid");
  const std::vector<std::string> lines = split(content, '\n');
  PostmasterFile file;
  const std::string& first = lines.empty() ? content : lines[0];
  std::from_chars(first.data(), first.data() + first.size(), file.pid);
  if (file.pid == 0) return std::nullopt;
  if (file.pid < 0) file.pid = -file.pid;  // a single-user server, as initdb runs it
  if (lines.size() > 4) file.socket_folder = lines[4];
  if (lines.size() > 7) file.status = trim(lines[7]);
  return file;
}

bool is_running(pid_t pid) {
  // "12 (name) S …": the state follows the last parenthesis, for a name may hold one.
  const std::string facts = read_or_empty(proc(pid, "stat"));
  const std::size_t at = facts.rfind(") ");
  return at != std::string::npos && at + 2 < facts.size() && facts[at + 2] != 'Z' &&
         facts[at + 2] != 'X';
}

bool serves(pid_t pid, const fs::path& data) {
  if (!is_running(pid) || trim(read_or_empty(proc(pid, "comm"))) != "postgres") return false;
  struct stat folder, process, working;
  if (::stat(data.c_str(), &folder) != 0 || ::stat(proc(pid, "").c_str(), &process) != 0)
    return false;
  if (process.st_uid != folder.st_uid) return false;
  if (::stat(proc(pid, "cwd").c_str(), &working) != 0) {
    // Hidden from us by a hardened kernel: then a server of the right owner is taken for ours,
    // which at worst is a clear error instead of two servers on the same files.
    return errno == EACCES || errno == EPERM;
  }
  return working.st_dev == folder.st_dev && working.st_ino == folder.st_ino;
}

std::vector<pid_t> find_server_processes(const fs::path& data) {
  std::vector<pid_t> found;
  std::error_code ignored;
  for (const fs::directory_entry& entry : fs::directory_iterator("/proc", ignored)) {
    const std::string name = entry.path().filename();
    pid_t pid = 0;
    const auto parsed = std::from_chars(name.data(), name.data() + name.size(), pid);
    if (parsed.ptr == name.data() + name.size() && serves(pid, data)) found.push_back(pid);
  }
  return found;
}

Error explain_failed_start(std::string_view log, const fs::path& log_file) {
  const std::string lines = telling_lines(log);
  const std::string said = lines.empty() ? std::string() : "\n  " + lines;
  for (const Pattern& pattern : kPatterns) {
    if (log.find(pattern.text) == std::string_view::npos) continue;
    return Error(pattern.code, std::string(pattern.message) + said, std::string(pattern.hint));
  }
  return Error(ErrorCode::kUnavailable, "the database server did not start" + said,
               "see " + log_file.string());
}

bool is_there(const fs::path& file) {
  std::error_code ignored;
  return fs::exists(file, ignored);
}

std::uint64_t size_of(const fs::path& file) {
  struct stat facts;
  return ::stat(file.c_str(), &facts) == 0 ? static_cast<std::uint64_t>(facts.st_size) : 0;
}

std::string read_tail(const fs::path& file, std::uint64_t offset) {
  constexpr std::uint64_t kMost = 64 << 10;
  const std::uint64_t size = size_of(file);
  if (size <= offset) return {};
  const FileDescriptor fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  std::string content(std::min(size - offset, kMost), '\0');
  const auto from = static_cast<off_t>(size - content.size());
  const ssize_t count = fd ? ::pread(fd.get(), content.data(), content.size(), from) : 0;
  content.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
  return content;
}

}  // namespace coppice::pg
