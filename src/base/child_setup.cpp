#include "base/child_setup.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>

namespace coppice {
namespace {

void write_own_file(const char* path, const char* text, std::size_t size) {
  const int fd = ::open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return;
  [[maybe_unused]] const ssize_t ignored = ::write(fd, text, size);
  ::close(fd);
}

int redirect_streams(const std::array<int, 3>& fds) {
  for (int i = 0; i < 3; ++i) {
    if (fds[i] >= 0 && ::dup2(fds[i], i) < 0) return errno;
  }
  return 0;
}

}  // namespace

ChildSetup::ChildSetup(const ChildOptions& options)
    : options_(options),
      user_map_(fmt::format("{0} {0} 1", ::geteuid())),
      group_map_(fmt::format("{0} {0} 1", ::getegid())) {
  if (options.sandbox) sandbox_.emplace(*options.sandbox, options.argv[0], !options.no_network);
  if (options.no_network) wanted_ |= CLONE_NEWNET;
  if (sandbox_ && sandbox_->wants_file_tree()) wanted_ |= CLONE_NEWNS;
  if (sandbox_) protections_ = sandbox_->protections();
}

// Namespaces are best effort: a kernel setting or a container may refuse them, and doctor says so.
void ChildSetup::enter_namespaces() {
  for (const int wanted : {CLONE_NEWNET, CLONE_NEWNS}) {
    if ((wanted_ & wanted) != 0 && ::unshare(wanted) == 0) entered(wanted);
  }
}

// Who is not root may have them together with a user namespace. Without a map of its ids nobody in
// it may mount; to write one after a change of account, a copy of our memory would lie open to
// every process of that account until exec, so then it is the network alone.
void ChildSetup::enter_namespaces_of_own_user(bool may_map) {
  const int wanted = may_map ? wanted_ : wanted_ & CLONE_NEWNET;
  if (wanted == 0 || ::unshare(CLONE_NEWUSER | wanted) != 0) return;
  if (may_map) {
    write_own_file("/proc/self/setgroups", "deny", 4);
    write_own_file("/proc/self/uid_map", user_map_.data(), user_map_.size());
    write_own_file("/proc/self/gid_map", group_map_.data(), group_map_.size());
  }
  entered(wanted);
}

void ChildSetup::entered(int namespaces) {
  wanted_ &= ~namespaces;
  if ((namespaces & CLONE_NEWNET) != 0) protections_.network_namespace = true;
  if ((namespaces & CLONE_NEWNS) != 0 && sandbox_->enter_file_tree() == 0)
    protections_.files = FileWall::kMounts;
}

int ChildSetup::switch_account() const {
  const Account& account = *options_.account;
  if (::setgroups(0, nullptr) != 0) return errno;
  if (::setresgid(account.gid, account.gid, account.gid) != 0) return errno;
  return ::setresuid(account.uid, account.uid, account.uid) == 0 ? 0 : errno;
}

int ChildSetup::set_limits() const {
  if (options_.memory_limit_bytes) {
    const rlimit limit{*options_.memory_limit_bytes, *options_.memory_limit_bytes};
    if (::setrlimit(RLIMIT_AS, &limit) != 0) return errno;
  }
  if (options_.file_limit_bytes) {
    const rlimit limit{*options_.file_limit_bytes, *options_.file_limit_bytes};
    if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) return errno;
  }
  return 0;
}

int ChildSetup::run(const std::array<int, 3>& fds, pid_t parent, const char** step) {
  *step = "redirect its streams";
  if (const int failure = redirect_streams(fds); failure != 0) return failure;
  if (options_.new_session) ::setsid();
  const bool root = ::geteuid() == 0;
  if (root) enter_namespaces();
  const bool switches = root && options_.account;
  if (switches) {
    *step = "switch to its account";
    if (const int failure = switch_account(); failure != 0) return failure;
  }
  enter_namespaces_of_own_user(!switches);
  if (options_.dies_with_parent) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(127);
  }
  if (options_.folder) {
    *step = "enter its folder";
    if (::chdir(options_.folder->c_str()) != 0) return errno;
  }
  if (options_.no_new_privileges) {
    *step = "give up new privileges";
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return errno;
  }
  *step = "set its limits";
  if (const int failure = set_limits(); failure != 0) return failure;
  ::signal(SIGPIPE, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  *step = "shut itself in";
  return sandbox_ ? sandbox_->restrict() : 0;
}

}  // namespace coppice
