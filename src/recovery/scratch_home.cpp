#include "recovery/scratch_home.h"

#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "pg/private_server.h"

namespace coppice::recovery {
namespace {

namespace fs = std::filesystem;

constexpr const char* kPrefix = "coppice-drill";
constexpr const char* kLock = "drill.lock";
constexpr std::string_view kLockText = "the scratch home of a coppice drill\n";

ConfigRequest home_in(const fs::path& folder, const Environment& environment) {
  ConfigRequest where;
  where.home = folder / "home";
  for (const auto& [name, value] : environment) {
    // What says how fast it goes stays; where the living home and its database are does not.
    if (name != "COPPICE_HOME" && name != "COPPICE_DATABASE_URL") where.environment[name] = value;
  }
  return where;
}

// At once: what it has is not wanted any more. Its files go all the same, and a server without
// files ends.
void stop_server(const ConfigRequest& where) {
  try {
    pg::PrivateServerOptions options;
    options.home = *where.home;
    if (fs::exists(options.home / "pgdata")) {
      pg::PrivateServer(std::move(options)).stop(pg::StopMode::kImmediate);
    }
  } catch (const Error&) {
    return;
  }
}

// Nobody finds the file before it is locked.
FileDescriptor lock(const fs::path& folder) {
  std::optional<FileDescriptor> locked = try_lock_file(folder / "new.lock");
  if (!locked) throw Error(ErrorCode::kBusy, "somebody else uses " + folder.string());
  write_all(locked->get(), kLockText, (folder / kLock).string());
  fs::rename(folder / "new.lock", folder / kLock);
  return std::move(*locked);
}

bool is_ours(const fs::path& folder) {
  if (!folder.filename().string().starts_with(std::string(kPrefix) + ".")) return false;
  struct stat status {};
  if (::lstat(folder.c_str(), &status) != 0) return false;
  if (!S_ISDIR(status.st_mode) || status.st_uid != ::geteuid()) return false;
  const fs::path file = folder / kLock;
  if (::lstat(file.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) return false;
  return status.st_uid == ::geteuid() && read_file(file) == kLockText;
}

// False when it is another's, or in use.
bool remove_if_dead(const fs::path& folder, const Environment& environment) {
  if (!is_ours(folder)) return false;
  const std::optional<FileDescriptor> locked = try_lock_file(folder / kLock);
  if (!locked) return false;
  stop_server(home_in(folder, environment));
  std::error_code error;
  fs::remove_all(folder, error);
  return !error;
}

}  // namespace

ScratchHome::ScratchHome(const Environment& environment, const fs::path& parent)
    : folder_(parent, kPrefix),
      lock_(lock(folder_.path())),
      where_(home_in(folder_.path(), environment)) {
  // The account of the server must come through.
  if (::chmod(folder_.path().c_str(), 0755) != 0) throw_errno("open up " + folder_.path().string());
}

ScratchHome::~ScratchHome() { stop_server(where_); }

void remove_dead_drills(const Environment& environment, const fs::path& parent, ResultSink& sink) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(parent, error)) {
    try {
      if (!remove_if_dead(entry.path(), environment)) continue;
      sink.notice(
          fmt::format("removed {}, which a drill that was killed has left", entry.path().string()));
    } catch (const Error&) {
      continue;  // another drill has just removed it
    } catch (const fs::filesystem_error&) {
      continue;
    }
  }
}

}  // namespace coppice::recovery
