#include "base/sandbox.h"

#include <linux/close_range.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cerrno>

#include "base/call_filter.h"
#include "base/file_tree.h"
#include "base/landlock.h"

namespace coppice {

namespace {

constexpr unsigned kFirstOtherDescriptor = 3;

std::vector<SandboxPath> with_program(std::vector<SandboxPath> files, const std::string& program) {
  if (program.find('/') != std::string::npos) {
    files.push_back({std::filesystem::absolute(program), FileAccess::kRun});
  }
  return files;
}

}  // namespace

struct Sandbox::Walls {
  std::optional<LandlockRules> rules;
  std::optional<FileTree> tree;
  std::vector<sock_filter> filter;
  sock_fprog program{};
};

std::vector<SandboxPath> system_paths() {
  std::vector<SandboxPath> paths;
  for (const char* folder : {"/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"}) {
    paths.push_back({folder, FileAccess::kRun});
  }
  for (const char* path : {"/etc/ld.so.cache", "/etc/ld.so.preload", "/etc/alternatives",
                           "/etc/fonts", "/etc/localtime", "/etc/magic", "/etc/ssl/openssl.cnf",
                           "/var/cache/fontconfig", "/dev/random", "/dev/urandom"}) {
    paths.push_back({path, FileAccess::kRead});
  }
  for (const char* device : {"/dev/null", "/dev/zero"}) {
    paths.push_back({device, FileAccess::kWrite});
  }
  return paths;
}

FileWall best_file_wall() {
  return landlock_version() >= kOldestLandlock ? FileWall::kLandlock : FileWall::kMounts;
}

bool has_call_filter() {
  // The kernel looks at the filter last: EFAULT says that it would take one.
  return !make_call_filter(false).empty() &&
         ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, nullptr, 0, 0) != 0 && errno == EFAULT;
}

Sandbox::Sandbox(const SandboxOptions& options, const std::string& program, bool network)
    : walls_(std::make_unique<Walls>()) {
  const FileWall wall = options.file_wall.value_or(best_file_wall());
  std::vector<SandboxPath> files = with_program(options.files, program);
  if (wall == FileWall::kLandlock) walls_->rules.emplace(files);
  if (wall == FileWall::kMounts) {
    files.push_back({"/proc/self", FileAccess::kRead});
    walls_->tree.emplace(files);
  }
  if (has_call_filter()) walls_->filter = make_call_filter(network);
  walls_->program = {static_cast<unsigned short>(walls_->filter.size()), walls_->filter.data()};
}

Sandbox::~Sandbox() = default;

bool Sandbox::wants_file_tree() const { return walls_->tree.has_value(); }

int Sandbox::enter_file_tree() { return walls_->tree ? walls_->tree->enter() : 0; }

Protections Sandbox::protections() const {
  Protections walls;
  if (walls_->rules) walls.files = FileWall::kLandlock;
  walls.call_filter = !walls_->filter.empty();
  return walls;
}

int Sandbox::restrict() const {
  // Not an error where the kernel cannot: what we open ourselves is closed on exec anyway.
  ::close_range(kFirstOtherDescriptor, ~0u, CLOSE_RANGE_CLOEXEC);
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return errno;
  if (walls_->rules) {
    if (const int failure = walls_->rules->restrict(); failure != 0) return failure;
  }
  if (walls_->filter.empty()) return 0;
  return ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &walls_->program, 0, 0) == 0 ? 0 : errno;
}

}  // namespace coppice
