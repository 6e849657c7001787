#include "pg/server_home.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <set>

#include "base/error.h"
#include "base/sha256.h"
#include "pg/server_account.h"
#include "pg/server_process.h"

namespace coppice::pg {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kLongestSocketName = 107;  // sun_path has 108 bytes with its NUL
// MAXPGPATH is 1024; what lies below the home takes its share.
constexpr std::size_t kLongestHome = 900;
constexpr std::uint64_t kMostLogBytes = 16 << 20;

struct stat facts_of(const fs::path& file) {
  struct stat facts;
  if (::lstat(file.c_str(), &facts) != 0) throw_errno("examine " + file.string());
  return facts;
}

void hand_over(const fs::path& file, const Account& account, mode_t mode) {
  if (::geteuid() == 0 && ::lchown(file.c_str(), account.uid, account.gid) != 0)
    throw_errno("give " + file.string() + " to " + account.name);
  if (::chmod(file.c_str(), mode) != 0) throw_errno("set the mode of " + file.string());
}

// The mode must not depend on the umask of whoever runs the command.
void make_folder(const fs::path& folder, mode_t mode) {
  if (::mkdir(folder.c_str(), mode) != 0) {
    if (errno != EEXIST) throw_errno("create the folder " + folder.string());
    return;
  }
  if (::chmod(folder.c_str(), mode) != 0) throw_errno("set the mode of " + folder.string());
}

bool looks_like_home(const fs::path& folder) {
  std::error_code ignored;
  return fs::is_empty(folder, ignored) || is_there(folder / "config.toml") ||
         is_there(folder / "pgdata") || is_there(folder / "server.lock");
}

}  // namespace

ServerHome::ServerHome(const fs::path& home) : home_(fs::absolute(home).lexically_normal()) {
  if (!home_.has_filename() && home_ != home_.root_path()) home_ = home_.parent_path();
}

const Account& ServerHome::account() const {
  if (!account_) account_ = server_account(home_, data());
  return *account_;
}

fs::path ServerHome::socket_file(const fs::path& folder) const { return folder / ".s.PGSQL.5432"; }

fs::path ServerHome::socket_folder() const {
  fs::path inside = home_ / "run";
  const std::string name = socket_file(inside).string();
  // libpq reads a comma in a host as the border between two hosts.
  if (name.size() <= kLongestSocketName && name.find(',') == std::string::npos) return inside;
  const fs::path parent = account().uid != ::geteuid() || ::geteuid() == 0 ? "/run" : "/tmp";
  return parent / ("coppice-" + to_hex(sha256(home_.string())).substr(0, 16));
}

void ServerHome::open_home_to_account() const {
  const struct stat facts = facts_of(home_);
  if (::geteuid() != 0 || facts.st_uid != 0 || !first_closed_folder(home_, account())) return;
  // Only what is plainly a home of ours is changed, never, say, /root.
  if (first_closed_folder(home_.parent_path(), account()) || !looks_like_home(home_)) return;
  if (::chown(home_.c_str(), 0, account().gid) != 0 || ::chmod(home_.c_str(), 0750) != 0)
    throw_errno("open " + home_.string() + " to the account " + account().name);
}

void ServerHome::check_path() const {
  const std::string path = home_.string();
  if (path.size() > kLongestHome) {
    throw Error(
        ErrorCode::kRefused,
        fmt::format("the path of the home has {} bytes, and the programs of PostgreSQL take "
                    "at most {}: {}…",
                    path.size(), kLongestHome, path.substr(0, 100)),
        "choose a shorter one with --home");
  }
  if (path.find_first_of("\r\n") != std::string::npos) {
    throw Error(ErrorCode::kRefused,
                "the path of the home holds a line break, which PostgreSQL does not take",
                "choose another with --home");
  }
}

void ServerHome::prepare() const {
  check_path();
  std::error_code failure;
  if (!fs::exists(home_, failure)) {
    fs::create_directories(home_.parent_path(), failure);
    if (!failure) {
      require_reachable(home_.parent_path(), account());
      if (::mkdir(home_.c_str(), 0700) != 0 && errno != EEXIST)
        failure = std::error_code(errno, std::generic_category());
    }
    if (failure) {
      throw Error(
          ErrorCode::kRefused,
          "cannot create the home " + home_.string() + ": " + failure.message(),
          "choose another with --home, or create it and give it to " + current_account().name);
    }
  }
  if (!fs::is_directory(home_, failure)) {
    throw Error(ErrorCode::kRefused, "the home " + home_.string() + " is not a folder",
                "choose another with --home");
  }
  open_home_to_account();
  require_reachable(home_, account());
  make_folder(home_ / "log", 0750);
  if (::geteuid() == 0) {
    const fs::path log = home_ / "log";
    if (::lchown(log.c_str(), facts_of(home_).st_uid, account().gid) != 0)
      throw_errno("give " + log.string() + " to " + account().name);
  }
}

void ServerHome::prepare_socket_folder() const {
  const fs::path folder = socket_folder();
  make_folder(folder, 0700);
  const struct stat facts = facts_of(folder);
  const bool inside = folder.parent_path() == home_;
  const bool fresh = facts.st_uid == ::geteuid();
  // Elsewhere than in the home somebody else may have been first: never trust such a folder.
  if (!S_ISDIR(facts.st_mode) || (!inside && !fresh && facts.st_uid != account().uid)) {
    throw Error(
        ErrorCode::kRefused,
        folder.string() + ", the folder for the database's socket, belongs to somebody else",
        "remove it, or choose a home whose path is shorter than 90 bytes");
  }
  hand_over(folder, account(), 0700);
}

void ServerHome::prepare_log_file() const {
  const fs::path file = log_file();
  const FileDescriptor fd(
      ::open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!fd) throw_errno("open " + file.string());
  if (::geteuid() == 0 && ::fchown(fd.get(), account().uid, account().gid) != 0)
    throw_errno("give " + file.string() + " to " + account().name);
}

void ServerHome::rotate_log() const noexcept {
  try {
    const fs::path file = log_file();
    if (size_of(file) < kMostLogBytes) return;
    // The server appends to the open file, so it is emptied, not renamed.
    std::error_code ignored;
    fs::copy_file(file, file.string() + ".1", fs::copy_options::overwrite_existing, ignored);
    fs::resize_file(file, 0, ignored);
  } catch (...) {
    // A log that cannot be rotated is no reason not to work.
  }
}

std::optional<FileDescriptor> ServerHome::try_lock() const {
  const bool made = !is_there(lock_file());
  std::optional<FileDescriptor> lock = try_lock_file(lock_file());
  if (made && lock && ::geteuid() == 0) {
    // A home of somebody else that root was the first to lock stays usable for its owner.
    const struct stat facts = facts_of(home_);
    if (::fchown(lock->get(), facts.st_uid, facts.st_gid) != 0)
      throw_errno("give " + lock_file().string() + " to the owner of the home");
  }
  return lock;
}

void ServerHome::write_server_file(const fs::path& file, std::string_view bytes) const {
  std::string pattern = file.string() + ".XXXXXX";
  const FileDescriptor fd(::mkostemp(pattern.data(), O_CLOEXEC));
  if (!fd) throw_errno("create " + pattern);
  try {
    write_all(fd.get(), bytes, pattern);
    if (::geteuid() == 0 && ::fchown(fd.get(), account().uid, account().gid) != 0)
      throw_errno("give " + pattern + " to " + account().name);
    if (::fsync(fd.get()) != 0) throw_errno("sync " + pattern);
    if (::rename(pattern.c_str(), file.c_str()) != 0) throw_errno("rename to " + file.string());
  } catch (...) {
    ::unlink(pattern.c_str());
    throw;
  }
  sync_folder(file.parent_path());
}

std::vector<std::string> ServerHome::admitted_accounts() const {
  std::set<std::string> names{account().name, "root"};
  if (const auto owner = account_of(facts_of(home_).st_uid)) names.insert(owner->name);
  return {names.begin(), names.end()};
}

ChildOptions ServerHome::program(std::vector<std::string> argv) const {
  ChildOptions options;
  options.argv = std::move(argv);
  options.clear_environment = true;  // PGDATA, PGPORT and the like would be obeyed
  options.environment = {{"LC_ALL", "C"}};
  if (account().uid != ::geteuid()) options.account = account();
  options.folder = "/";  // ours may be closed to that account
  return options;
}

}  // namespace coppice::pg
