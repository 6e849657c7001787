#include "pg/private_server.h"

#include <fmt/format.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <set>
#include <thread>

#include "base/error.h"
#include "base/text.h"
#include "pg/connection.h"
#include "pg/conninfo.h"
#include "pg/server_process.h"
#include "pg/server_settings.h"

namespace coppice::pg {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using SteadyClock = std::chrono::steady_clock;

namespace {

std::optional<int> data_major(const fs::path& data) {
  try {
    const std::string content = read_file(data / "PG_VERSION");
    int major = 0;
    std::from_chars(content.data(), content.data() + content.size(), major);
    if (major > 0) return major;
  } catch (const Error&) {
    // Not there, or not ours to read: status() and start() say which.
  }
  return std::nullopt;
}

// For a URL: everything but unreserved characters as %XX.
std::string percent_encoded(std::string_view text) {
  std::string result;
  for (const char c : text) {
    const bool plain = std::isalnum(static_cast<unsigned char>(c)) != 0 ||
                       std::string_view("-._~").find(c) != std::string_view::npos;
    result += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return result;
}

int stop_signal(StopMode mode) {
  switch (mode) {
    case StopMode::kSmart:
      return SIGTERM;
    case StopMode::kFast:
      return SIGINT;
    case StopMode::kImmediate:
      return SIGQUIT;
  }
  return SIGINT;
}

}  // namespace

PrivateServer::PrivateServer(PrivateServerOptions options)
    : options_(std::move(options)), home_(options_.home) {}

ServerStatus PrivateServer::status() const {
  ServerStatus status;
  const std::optional<int> major = data_major(home_.data());
  if (!major) {
    status.state = ServerState::kNotInitialised;
    return status;
  }
  status.major = *major;
  const std::optional<PostmasterFile> file = read_postmaster_file(home_.data());
  if (!file || !serves(file->pid, home_.data())) return status;
  status.pid = file->pid;
  status.state = file->status == "ready"      ? ServerState::kReady
                 : file->status == "stopping" ? ServerState::kStopping
                                              : ServerState::kStarting;
  return status;
}

bool PrivateServer::is_ready() const {
  return status().state == ServerState::kReady && is_there(home_.socket_file(live_socket_folder()));
}

fs::path PrivateServer::live_socket_folder() const {
  fs::path folder = home_.socket_folder();
  if (is_there(home_.socket_file(folder))) return folder;
  // The home was moved while its server ran: the socket is still where it was made.
  std::optional<PostmasterFile> file = read_postmaster_file(home_.data());
  if (file && !file->socket_folder.empty() && is_there(home_.socket_file(file->socket_folder)))
    return std::move(file->socket_folder);
  return folder;
}

std::string PrivateServer::conninfo(const std::string& role) const {
  return format_conninfo({{"host", live_socket_folder().string()},
                          {"port", "5432"},
                          {"dbname", kDatabase},
                          {"user", role}});
}

std::string PrivateServer::url(const std::string& role) const {
  return fmt::format("postgresql://{}@/{}?host={}&port=5432", percent_encoded(role), kDatabase,
                     percent_encoded(live_socket_folder().string()));
}

std::vector<std::string> PrivateServer::login_roles() const {
  std::set<std::string> roles(options_.roles.begin(), options_.roles.end());
  roles.insert(kSuperuser);
  return {roles.begin(), roles.end()};
}

void PrivateServer::report(const std::string& what) {
  const auto now = SteadyClock::now();
  const auto pause = what == last_said_ ? std::chrono::seconds(10) : std::chrono::seconds(1);
  if (!options_.progress || now - last_report_ < pause) return;
  last_report_ = now;
  last_said_ = what;
  options_.progress(what);
}

void PrivateServer::check_stop(const std::stop_token& stop) const {
  if (stop.stop_requested()) {
    throw Error(ErrorCode::kInterrupted, "stopped while waiting for the database server");
  }
}

// Waits while others make or start the server; they do neither for longer than this.
FileDescriptor PrivateServer::wait_for_lock(const std::stop_token& stop, const char* doing) {
  const auto deadline = SteadyClock::now() + std::chrono::minutes(5);
  for (;;) {
    if (std::optional<FileDescriptor> lock = home_.try_lock()) return std::move(*lock);
    check_stop(stop);
    if (SteadyClock::now() > deadline) {
      throw Error(ErrorCode::kBusy,
                  fmt::format("another process has been {} for five minutes", doing),
                  "see which one holds " + home_.lock_file().string() + " (fuser, lsof)");
    }
    report(fmt::format("waiting: another process is {}", doing));
    std::this_thread::sleep_for(milliseconds(10));
  }
}

// PostgreSQL 15 hangs when it is told to stop while it recovers from the crash of one of its
// processes (its file says "ready" all that time).
void PrivateServer::await_recovered(milliseconds timeout) {
  if (status().state != ServerState::kReady) return;
  try {
    ConnectOptions options;
    options.conninfo = conninfo(kSuperuser);
    Connection::connect_when_ready(options, timeout,
                                   [this](const std::string& what) { report(what); });
  } catch (const Error&) {  // not ours to judge: it is about to be stopped
  }
}

bool PrivateServer::stop(StopMode mode, milliseconds timeout) {
  if (status().state == ServerState::kNotInitialised) return false;
  const FileDescriptor lock = wait_for_lock({}, "starting or stopping the database server");
  if (mode != StopMode::kImmediate) await_recovered(timeout);
  const pid_t pid = status().pid;
  if (pid == 0) return false;
  if (::kill(pid, stop_signal(mode)) != 0 && errno != ESRCH) {
    throw Error(ErrorCode::kRefused,
                fmt::format("may not stop the database server (process {})", pid),
                "run as the account that owns the home, or as root");
  }
  const auto deadline = SteadyClock::now() + timeout;
  while (serves(pid, home_.data())) {
    if (SteadyClock::now() > deadline) {
      throw Error(ErrorCode::kBusy,
                  fmt::format("the database server (process {}) is still stopping", pid),
                  mode == StopMode::kSmart ? "clients are still connected; stop it the fast way"
                                           : "it writes to the disk; wait and look again");
    }
    report("waiting for the database server to stop");
    std::this_thread::sleep_for(milliseconds(5));
  }
  return true;
}

}  // namespace coppice::pg
