// ChildProcess: another program, started without a shell and never left behind by mistake.
//
// Model    argv is passed as it is (no shell, no splicing). The child gets an environment of its
//          own, may run as another account, and dies with its parent when asked to.
// Errors   start() throws kNotFound or kIo when the program cannot be started.
// Threads  An object belongs to one thread at a time; stop() may be called from another.
#pragma once

#include <sys/resource.h>
#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/files.h"
#include "base/sandbox.h"

namespace coppice {

// An operating-system account to run a child as; only root may switch.
struct Account {
  uid_t uid = 0;
  gid_t gid = 0;
  std::string name;
  std::filesystem::path home;
};
// nullopt when there is no such account.
std::optional<Account> find_account(const std::string& name);
Account current_account();

enum class Pipe { kInherit, kNull, kPipe };

struct ChildOptions {
  std::vector<std::string> argv;                   // argv[0] is a path, or a name looked up on PATH
  std::map<std::string, std::string> environment;  // added to what is inherited
  bool clear_environment = false;                  // inherit nothing but PATH, LANG, LC_*, TZ
  std::optional<Account> account;
  std::optional<std::filesystem::path> folder;  // working directory
  Pipe input = Pipe::kNull;
  Pipe output = Pipe::kInherit;
  Pipe errors = Pipe::kInherit;
  bool dies_with_parent = true;    // PR_SET_PDEATHSIG of the starting thread
  bool new_session = false;        // setsid: for a server that outlives us
  bool no_new_privileges = false;  // PR_SET_NO_NEW_PRIVS: no set-uid program gains it anything
  bool no_network = false;         // a network namespace of its own where the kernel allows it
  std::optional<rlim_t> memory_limit_bytes;  // RLIMIT_AS
  std::optional<rlim_t> file_limit_bytes;    // RLIMIT_FSIZE
  // What it may reach; no_network refuses it sockets too. Nothing above descriptor 2 is inherited.
  std::optional<SandboxOptions> sandbox;
};

struct ExitStatus {
  int code = 0;    // exit code, or 128 + signal
  int signal = 0;  // 0 when it ended by itself
  bool ok() const { return code == 0; }
};

class ChildProcess {
 public:
  static ChildProcess start(const ChildOptions& options);
  ChildProcess(ChildProcess&& other) noexcept;
  ChildProcess& operator=(ChildProcess&& other) noexcept;
  // Kills and reaps the child if it is still running, unless detach() was called.
  ~ChildProcess();

  pid_t pid() const { return pid_; }
  int input_fd() const { return input_.get(); }
  int output_fd() const { return output_.get(); }
  int errors_fd() const { return errors_.get(); }
  void close_input() { input_.reset(); }

  // nullopt when it is still running at the end of `timeout`.
  std::optional<ExitStatus> wait_for(std::chrono::milliseconds timeout);
  ExitStatus wait();
  void send_signal(int signal);
  void kill();
  void detach();

 private:
  ChildProcess() = default;
  pid_t pid_ = -1;
  std::optional<ExitStatus> status_;
  FileDescriptor input_, output_, errors_;
};

struct RunResult {
  ExitStatus status;
  bool timed_out = false;
  std::string output;
  std::string errors;
};

// Runs a program to its end, collecting what it prints (each stream up to `limit_bytes`).
// After `timeout` it is killed and timed_out is set.
RunResult run_program(ChildOptions options, std::chrono::milliseconds timeout,
                      std::size_t limit_bytes = 64 << 20);

// The walls that would stand around a child started with these options, as one tells that runs no
// program. `private_file` is one that we can read and it should not. Throws kIo when such a child
// cannot be set up.
Protections examine_child(const ChildOptions& options, const std::filesystem::path& private_file);

}  // namespace coppice
