// PrivateServer: the PostgreSQL server that belongs to one home.
//
// Model    Made once (initialise), started when needed (start) and left running when the program
//          ends. No port is open: clients come through a unix socket that only the server's
//          account and root can reach, and log in as the account they are. Superuser and database
//          are both called `coppice`.
// Faults   initialise() is all or nothing whenever it is killed. start() copes with a killed
//          server, a postmaster.pid whose number another process has now, long crash recovery,
//          a moved home, and other processes that start or initialise at the same moment.
// Units    Timeouts in milliseconds; start() waits as long as the server makes progress.
// Threads  An object belongs to one thread at a time; any number of processes may use one home.
// Errors   kNotFound (no database yet, no server installed), kRefused (account, folders), kBusy,
//          kDiskFull, kUnsupported (another version's data), kUnavailable, kInterrupted.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "pg/server_home.h"

namespace coppice::pg {

struct PrivateServerOptions {
  std::filesystem::path home;
  std::optional<std::filesystem::path> server_binaries;  // where postgres and initdb are
  std::vector<std::string> roles;               // roles to log in as, besides the superuser
  std::map<std::string, std::string> settings;  // of postgresql.conf, over our own
  bool durable = true;                          // false, in tests only: no fsync
  // Told what takes long: "recovering after a crash …", at most once a second.
  std::function<void(const std::string&)> progress;
};

enum class StopMode { kSmart, kFast, kImmediate };  // as pg_ctl's
enum class ServerState { kNotInitialised, kDown, kStarting, kReady, kStopping };

struct ServerStatus {
  ServerState state = ServerState::kDown;
  pid_t pid = 0;
  int major = 0;  // of the data
};

class PrivateServer {
 public:
  static constexpr const char* kSuperuser = "coppice";
  static constexpr const char* kDatabase = "coppice";

  explicit PrivateServer(PrivateServerOptions options);

  ServerStatus status() const;
  // Makes the data folder and the database. False when they are there already. A second process
  // that tries at the same time waits for the first.
  bool initialise(const std::stop_token& stop = {});
  // Returns when the server takes connections: at once when it is up.
  void start(const std::stop_token& stop = {});
  // Returns when its processes are gone. False when it was not running.
  bool stop(StopMode mode = StopMode::kFast,
            std::chrono::milliseconds timeout = std::chrono::minutes(5));

  // How to connect as `role`, as libpq's keywords or as a URL.
  std::string conninfo(const std::string& role = kSuperuser) const;
  std::string url(const std::string& role) const;

  const ServerHome& home() const { return home_; }

 private:
  std::vector<std::string> login_roles() const;
  std::filesystem::path live_socket_folder() const;
  bool is_ready() const;
  void report(const std::string& what);
  void await_recovered(std::chrono::milliseconds timeout);
  void check_stop(const std::stop_token& stop) const;
  FileDescriptor wait_for_lock(const std::stop_token& stop, const char* doing);

  void make_data(const std::filesystem::path& folder);
  void make_database(const std::filesystem::path& postgres, const std::filesystem::path& folder);

  void refresh_account_map();
  void write_settings(int major);
  void remove_traces();
  void end_orphans(const std::stop_token& stop);
  bool await_existing(const std::stop_token& stop);
  pid_t launch(const std::filesystem::path& postgres);
  void await_ready(pid_t pid, std::uint64_t log_begin, const std::stop_token& stop);

  PrivateServerOptions options_;
  ServerHome home_;
  // What takes less than a second is not worth a word.
  std::chrono::steady_clock::time_point last_report_ = std::chrono::steady_clock::now();
  std::string last_said_;
};

}  // namespace coppice::pg
