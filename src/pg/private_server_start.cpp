// PrivateServer::start: from whatever state the home is in to a server that takes connections.
#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <charconv>
#include <thread>

#include "base/error.h"
#include "base/text.h"
#include "pg/private_server.h"
#include "pg/server_account.h"
#include "pg/server_binaries.h"
#include "pg/server_process.h"
#include "pg/server_settings.h"

namespace coppice::pg {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using SteadyClock = std::chrono::steady_clock;

namespace {

// Starts postgres in a session of its own and gives its number. The shell in between ends at once,
// so that the server is nobody's child; paths are its arguments, never part of the script.
constexpr const char* kLaunchScript = "\"$0\" -D \"$1\" </dev/null >>\"$2\" 2>&1 & echo $!";

// "…redo in progress, elapsed time: 10.00 s, current LSN: 0/3000060" -> "redo in progress, …"
std::string last_log_line(const fs::path& log, std::uint64_t log_begin) {
  const std::string tail = read_tail(log, log_begin);
  const std::string_view text = trim(tail);
  const std::string_view line = text.substr(text.rfind('\n') + 1);
  const std::size_t mark = line.find("LOG:  ");
  return std::string(mark == std::string_view::npos ? line : line.substr(mark + 6));
}

bool contains(const std::string& text, const char* part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

void PrivateServer::start(const std::stop_token& stop) {
  if (status().state == ServerState::kNotInitialised) {
    const Account& account = home_.account();  // refuses a home that is somebody else's
    require_reachable(home_.folder(), account);
    throw Error(ErrorCode::kNotFound, "there is no database in " + home_.folder().string(),
                "make one: coppice init --home " + home_.folder().string());
  }
  refresh_account_map();
  home_.rotate_log();
  if (is_ready()) return;
  home_.prepare();
  const FileDescriptor lock = wait_for_lock(stop, "starting the database server");
  if (await_existing(stop)) return;
  end_orphans(stop);
  remove_traces();

  const ServerBinaries binaries = choose_server_binaries(options_.server_binaries, status().major);
  home_.prepare_socket_folder();
  home_.prepare_log_file();
  write_settings(binaries.major);
  const std::uint64_t log_begin = size_of(home_.log_file());
  try {
    await_ready(launch(binaries.postgres()), log_begin, stop);
  } catch (const Error& error) {
    // Somebody may have started it by other means at the same moment.
    if (error.code() == ErrorCode::kInterrupted || !await_existing(stop)) throw;
  }
}

// A newer program may know more roles; a running server takes a changed map without a restart.
void PrivateServer::refresh_account_map() {
  const fs::path file = home_.data() / "pg_ident.conf";
  const std::string wanted = render_account_map(home_.admitted_accounts(), login_roles());
  if (read_file(file) == wanted) return;
  home_.write_server_file(file, wanted);
  if (const pid_t pid = status().pid; pid > 0) {
    ::kill(pid, SIGHUP);
    // The main process reads the file within a moment; logins just after must find it read.
    std::this_thread::sleep_for(milliseconds(50));
  }
}

// Another process' start may be under way, or a server that cannot be reached. True when it is up.
bool PrivateServer::await_existing(const std::stop_token& stop) {
  for (;;) {
    const ServerStatus now = status();
    if (now.pid == 0) return false;
    if (now.state == ServerState::kReady) {
      if (is_ready()) return true;
      // Its socket was deleted (cleaners of /tmp do that): no client can ever come in again.
      report("the socket of the database server is gone; starting it again");
      ::kill(now.pid, SIGINT);
      while (serves(now.pid, home_.data())) {
        check_stop(stop);
        std::this_thread::sleep_for(milliseconds(10));
      }
      return false;
    }
    if (now.state == ServerState::kStarting) {
      try {
        await_ready(now.pid, size_of(home_.log_file()), stop);
        return true;
      } catch (const Error& error) {
        if (error.code() == ErrorCode::kInterrupted) throw;
        continue;  // it died; the next look says so, and our own start will say why
      }
    }
    check_stop(stop);
    report("waiting for the database server to stop before it is started");
    std::this_thread::sleep_for(milliseconds(10));
  }
}

// When the main process was killed its children end by themselves, but one in the middle of a long
// statement may not notice: two servers on the same files must never be.
void PrivateServer::end_orphans(const std::stop_token& stop) {
  const auto begin = SteadyClock::now();
  for (;;) {
    const std::vector<pid_t> orphans = find_server_processes(home_.data());
    if (orphans.empty()) return;
    check_stop(stop);
    const bool patient = SteadyClock::now() - begin < std::chrono::seconds(5);
    for (const pid_t pid : orphans) ::kill(pid, patient ? SIGQUIT : SIGKILL);
    report("ending the processes of a killed database server");
    std::this_thread::sleep_for(milliseconds(20));
  }
}

// PostgreSQL itself refuses to start when the number in a stale file is some living process'.
void PrivateServer::remove_traces() {
  std::error_code ignored;
  fs::remove(home_.data() / "postmaster.pid", ignored);
  const fs::path socket = home_.socket_file(home_.socket_folder());
  fs::remove(socket, ignored);
  fs::remove(socket.string() + ".lock", ignored);
}

void PrivateServer::write_settings(int major) {
  const ServerSettings settings{examine_machine(home_.folder()), major, home_.socket_folder(),
                                options_.durable, options_.settings};
  home_.write_server_file(home_.data() / "coppice.conf", render_settings(settings));
}

pid_t PrivateServer::launch(const fs::path& postgres) {
  ChildOptions options = home_.program({"/bin/sh", "-c", kLaunchScript, postgres.string(),
                                        home_.data().string(), home_.log_file().string()});
  options.dies_with_parent = false;
  options.new_session = true;
  const RunResult run = run_program(options, std::chrono::seconds(30));
  pid_t pid = 0;
  std::from_chars(run.output.data(), run.output.data() + run.output.size(), pid);
  if (pid <= 0) {
    throw Error(ErrorCode::kIo,
                "cannot start " + postgres.string() + ": " + std::string(trim(run.errors)));
  }
  return pid;
}

void PrivateServer::await_ready(pid_t pid, std::uint64_t log_begin, const std::stop_token& stop) {
  const auto begin = SteadyClock::now();
  for (;;) {
    // Asked before the file is read: a server that became ready and died in between is dead.
    const bool alive = is_running(pid);
    const std::optional<PostmasterFile> file = read_postmaster_file(home_.data());
    if (alive && file && file->pid == pid && file->status == "ready") return;
    if (!alive) {
      const std::string log = read_tail(home_.log_file(), log_begin);
      throw explain_failed_start(log, home_.log_file());
    }
    check_stop(stop);
    const auto waited = SteadyClock::now() - begin;
    if (waited > std::chrono::seconds(1)) {
      const std::string line = last_log_line(home_.log_file(), log_begin);
      const bool recovering = contains(line, "redo") || contains(line, "recovery") ||
                              contains(line, "not properly shut down") ||
                              contains(line, "interrupted");
      report(fmt::format("{} ({}{}{})",
                         recovering ? "the database server recovers after a crash"
                                    : "waiting for the database server to start",
                         human_seconds(std::chrono::duration<double>(waited).count()),
                         line.empty() ? "" : ": ", line));
    }
    std::this_thread::sleep_for(milliseconds(waited < std::chrono::seconds(1) ? 3 : 50));
  }
}

}  // namespace coppice::pg
