// PrivateServer::initialise: the data folder is made under another name and renamed when it is
// complete and durable, so whatever happens there is a whole database or none.
#include <fmt/format.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <clocale>
#include <cstdlib>
#include <thread>

#include "base/error.h"
#include "base/text.h"
#include "pg/private_server.h"
#include "pg/server_binaries.h"
#include "pg/server_process.h"
#include "pg/server_settings.h"

namespace coppice::pg {

namespace fs = std::filesystem;

namespace {

constexpr const char* kPrefix = "pgdata.new.";

bool has_locale(const char* name) {
  const locale_t found = ::newlocale(LC_ALL_MASK, name, nullptr);
  if (found == nullptr) return false;
  ::freelocale(found);
  return true;
}

// What a killed attempt left; nobody else can be at it, for we hold the lock. A server process that
// worked for its initdb may still be there for a moment.
void remove_leftovers(const fs::path& home) {
  for (const fs::directory_entry& entry : fs::directory_iterator(home)) {
    if (entry.path().filename().string().rfind(kPrefix, 0) != 0) continue;
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    for (;;) {
      const std::vector<pid_t> workers = find_server_processes(entry.path());
      for (const pid_t pid : workers) ::kill(pid, SIGKILL);
      std::error_code failure;
      if (workers.empty()) fs::remove_all(entry.path(), failure);
      if (workers.empty() && !failure) break;
      // One that has just been started is not seen as what it is, and still makes files.
      if (failure && std::chrono::steady_clock::now() > deadline) {
        throw fs::filesystem_error("cannot remove", entry.path(), failure);
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  }
}

void require_free_name(const fs::path& data) {
  if (!fs::exists(data)) return;
  if (fs::is_directory(data) && fs::is_empty(data)) {
    fs::remove(data);
    return;
  }
  throw Error(ErrorCode::kRefused,
              data.string() + " is there, but is not the data of a PostgreSQL server",
              "move it away, or choose another home with --home");
}

void clear_the_way(const ServerHome& home) {
  try {
    require_free_name(home.data());
    remove_leftovers(home.folder());
  } catch (const fs::filesystem_error& error) {
    throw Error(ErrorCode::kIo, std::string("cannot make room for the database: ") + error.what(),
                "see who owns the files in " + home.folder().string());
  }
}

std::string read_to_end(int fd) {
  std::string content;
  std::array<char, 4096> block;
  for (;;) {
    const ssize_t count = ::read(fd, block.data(), block.size());
    if (count > 0) content.append(block.data(), static_cast<std::size_t>(count));
    if (count == 0 || (count < 0 && errno != EINTR)) return content;
  }
}

[[noreturn]] void throw_init_failure(const fs::path& home, const std::string& said,
                                     const char* program) {
  const Error reason = explain_failed_start(said, fs::path(program));
  if (reason.code() == ErrorCode::kDiskFull) {
    const std::size_t details = reason.message().find('\n');  // the server's own lines
    throw Error(ErrorCode::kDiskFull,
                fmt::format("cannot make the database: the disk of {} is full{}", home.string(),
                            details == std::string::npos ? "" : reason.message().substr(details)),
                "a new home takes about 60 MB: free some space on that disk, or choose another "
                "place with --home");
  }
  throw Error(reason.code() == ErrorCode::kUnavailable ? ErrorCode::kIo : reason.code(),
              fmt::format("cannot make the database ({}): {}", program, trim(said)),
              reason.code() == ErrorCode::kUnavailable ? std::string() : reason.hint());
}

}  // namespace

bool PrivateServer::initialise(const std::stop_token& stop) {
  if (status().state != ServerState::kNotInitialised) return false;
  home_.prepare();
  const FileDescriptor lock = wait_for_lock(stop, "making this database");
  if (status().state != ServerState::kNotInitialised) return false;
  clear_the_way(home_);

  std::string temporary = (home_.folder() / (std::string(kPrefix) + "XXXXXX")).string();
  if (::mkdtemp(temporary.data()) == nullptr) throw_errno("create " + temporary);
  try {
    if (::geteuid() == 0 &&
        ::chown(temporary.c_str(), home_.account().uid, home_.account().gid) != 0)
      throw_errno("give " + temporary + " to " + home_.account().name);
    make_data(temporary);
    if (::rename(temporary.c_str(), home_.data().c_str()) != 0)
      throw_errno("rename " + temporary + " to " + home_.data().string());
  } catch (...) {
    std::error_code ignored;
    fs::remove_all(temporary, ignored);
    throw;
  }
  sync_folder(home_.folder());
  return true;
}

void PrivateServer::make_data(const fs::path& folder) {
  const ServerBinaries binaries = choose_server_binaries(options_.server_binaries, std::nullopt);
  std::vector<std::string> argv = {
      binaries.initdb().string(),
      "--pgdata=" + folder.string(),
      "--username=" + std::string(kSuperuser),
      "--encoding=UTF8",
      std::string("--locale=") + (has_locale("C.UTF-8") ? "C.UTF-8" : "C"),
      "--lc-messages=C",
      "--data-checksums",
      "--auth-local=peer",
      "--auth-host=reject"};
  if (!options_.durable) argv.push_back("--no-sync");
  const RunResult run = run_program(home_.program(argv), std::chrono::minutes(10));
  if (run.timed_out) throw_init_failure(home_.folder(), "no end within ten minutes", "initdb");
  if (!run.status.ok()) throw_init_failure(home_.folder(), run.errors, "initdb");

  ServerSettings settings{examine_machine(home_.folder()), binaries.major, home_.socket_folder(),
                          options_.durable, options_.settings};
  home_.write_server_file(folder / "coppice.conf", render_settings(settings));
  home_.write_server_file(folder / "postgresql.conf",
                          read_file(folder / "postgresql.conf") + render_includes());
  home_.write_server_file(folder / "pg_hba.conf", render_access());
  home_.write_server_file(folder / "pg_ident.conf",
                          render_account_map(home_.admitted_accounts(), login_roles()));
  make_database(binaries.postgres(), folder);
}

// A single-user server makes the database: no socket, no second process to wait for. It ends with
// a checkpoint, so everything is on the disk when it has exited.
void PrivateServer::make_database(const fs::path& postgres, const fs::path& folder) {
  ChildOptions options =
      home_.program({postgres.string(), "--single", "-D", folder.string(), "postgres"});
  options.input = Pipe::kPipe;
  options.output = Pipe::kNull;
  options.errors = Pipe::kPipe;
  ChildProcess server = ChildProcess::start(options);
  const std::string statement = fmt::format("CREATE DATABASE {}\n", kDatabase);
  write_all(server.input_fd(), statement, "the single-user server's input");
  server.close_input();
  const std::string said = read_to_end(server.errors_fd());
  const ExitStatus status = server.wait();
  // It exits with 0 even when the statement failed.
  if (!status.ok() || said.find("ERROR:") != std::string::npos)
    throw_init_failure(home_.folder(), said, "postgres");
}

}  // namespace coppice::pg
