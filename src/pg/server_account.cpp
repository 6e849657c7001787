#include "pg/server_account.h"

#include <fmt/format.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <vector>

#include "base/error.h"
#include "base/text.h"

namespace coppice::pg {

namespace fs = std::filesystem;

namespace {

constexpr const char* kCreateCommand =
    "useradd --system --user-group --home-dir /var/lib/coppice --no-create-home "
    "--shell /usr/sbin/nologin ";

std::optional<uid_t> owner_of(const fs::path& file) {
  struct stat facts;
  if (::stat(file.c_str(), &facts) != 0) return std::nullopt;
  return facts.st_uid;
}

bool try_command(const std::vector<std::string>& argv, std::string& complaint) {
  try {
    const RunResult run = run_program({.argv = argv}, std::chrono::seconds(60));
    if (run.status.ok()) return true;
    complaint = trim(run.errors);
  } catch (const Error& error) {
    complaint = error.message();
  }
  return false;
}

// Asks the kernel itself, access lists and all: a child of that account tries to enter.
bool may_enter(const fs::path& folder, const Account& account) {
  if (account.uid == ::geteuid()) return ::access(folder.c_str(), X_OK) == 0;
  try {
    ChildOptions options{.argv = {"/bin/true"}, .account = account, .folder = folder};
    return run_program(options, std::chrono::seconds(20)).status.ok();
  } catch (const Error&) {
    return false;
  }
}

}  // namespace

std::optional<Account> account_of(uid_t uid) {
  std::array<char, 4096> buffer;
  passwd entry;
  passwd* found = nullptr;
  ::getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found);
  if (found == nullptr) return std::nullopt;
  return Account{entry.pw_uid, entry.pw_gid, entry.pw_name, entry.pw_dir};
}

Account server_account(const fs::path& home, const fs::path& data) {
  const uid_t self = ::geteuid();
  const std::optional<uid_t> data_owner = owner_of(data);
  if (self != 0) {
    const std::optional<Account> account = account_of(self);
    if (!account) {
      // initdb and peer authentication look the name up; a bare number does not do.
      throw Error(ErrorCode::kRefused,
                  fmt::format("user id {} has no entry in the system's list of accounts", self),
                  "PostgreSQL needs a name: add an account for it, or run as one that has a name");
    }
    if (data_owner && *data_owner != self) {
      const std::optional<Account> owner = account_of(*data_owner);
      throw Error(ErrorCode::kRefused,
                  fmt::format("the database in {} belongs to {}", home.string(),
                              owner ? owner->name : std::to_string(*data_owner)),
                  "run as that account or as root, or choose another home with --home");
    }
    return *account;
  }
  for (const std::optional<uid_t>& owner : {data_owner, owner_of(home)}) {
    if (!owner || *owner == 0) continue;
    if (const std::optional<Account> account = account_of(*owner)) return *account;
  }
  if (const std::optional<Account> account = find_account(kServerAccount)) return *account;
  throw Error(ErrorCode::kNotFound,
              fmt::format("the account {}, under which the database server runs for root, does "
                          "not exist",
                          kServerAccount),
              std::string("create it: ") + kCreateCommand + kServerAccount);
}

void ensure_account(const std::string& name) {
  if (find_account(name)) return;
  if (::geteuid() != 0) {
    throw Error(ErrorCode::kRefused, "only root can create the account " + name,
                "as root: " + std::string(kCreateCommand) + name);
  }
  std::vector<std::string> useradd = split(kCreateCommand + name, ' ');
  const std::vector<std::vector<std::string>> commands = {
      useradd,
      {"adduser", "--system", "--group", "--no-create-home", "--home", "/var/lib/coppice", name},
      {"adduser", "-S", "-D", "-H", "-h", "/var/lib/coppice", name}};  // busybox
  std::string complaint;
  for (const std::vector<std::string>& command : commands) {
    std::string latest;
    // Another process may have made it meanwhile: what counts is that it is there.
    if (try_command(command, latest) || find_account(name)) return;
    if (complaint.empty()) complaint = latest;
  }
  throw Error(ErrorCode::kIo, "cannot create the account " + name + ": " + complaint,
              std::string("as root: ") + kCreateCommand + name);
}

std::optional<fs::path> first_closed_folder(const fs::path& folder, const Account& account) {
  if (may_enter(folder, account)) return std::nullopt;
  fs::path way;
  for (const fs::path& part : folder) {
    way /= part;
    if (!may_enter(way, account)) return way;
  }
  return folder;
}

void require_reachable(const fs::path& folder, const Account& account) {
  const std::optional<fs::path> closed = first_closed_folder(folder, account);
  if (!closed) return;
  struct stat facts {};
  if (::stat(closed->c_str(), &facts) != 0) throw_errno("reach " + closed->string());
  const std::optional<Account> owner = account_of(facts.st_uid);
  throw Error(
      ErrorCode::kRefused,
      fmt::format("the account {}, under which the database server runs, cannot enter {} "
                  "(mode {:04o}, owner {})",
                  account.name, closed->string(), facts.st_mode & 07777,
                  owner ? owner->name : std::to_string(facts.st_uid)),
      fmt::format("choose another home, say --home /var/lib/coppice, or open the way: chmod o+x {}",
                  closed->string()));
}

}  // namespace coppice::pg
