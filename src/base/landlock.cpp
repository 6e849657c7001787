#include "base/landlock.h"

#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

#include "base/error.h"

namespace coppice {
namespace {

constexpr int kVersionWithTruncate = 3;
constexpr int kVersionWithDeviceCalls = 5;

// Newer than the headers of Debian 12.
constexpr std::uint64_t kTruncate = 1 << 14, kDeviceCalls = 1 << 15;
constexpr std::uint64_t kAbstractSockets = 1 << 0, kSignals = 1 << 1;
struct RulesetAttributes {
  std::uint64_t files = 0, network = 0, scopes = 0;
};

constexpr std::uint64_t kReadRights = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
constexpr std::uint64_t kRunRights = kReadRights | LANDLOCK_ACCESS_FS_EXECUTE;
constexpr std::uint64_t kWriteRights =
    kReadRights | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_FILE |
    LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |
    LANDLOCK_ACCESS_FS_REFER | kTruncate;
constexpr std::uint64_t kRightsOfFiles = LANDLOCK_ACCESS_FS_READ_FILE |
                                         LANDLOCK_ACCESS_FS_WRITE_FILE |
                                         LANDLOCK_ACCESS_FS_EXECUTE | kTruncate;

std::uint64_t known_rights(int version) {
  std::uint64_t rights = (LANDLOCK_ACCESS_FS_REFER << 1) - 1;
  if (version >= kVersionWithTruncate) rights |= kTruncate;
  if (version >= kVersionWithDeviceCalls) rights |= kDeviceCalls;
  return rights;
}

std::uint64_t rights_of(FileAccess access) {
  switch (access) {
    case FileAccess::kRead:
      return kReadRights;
    case FileAccess::kRun:
      return kRunRights;
    case FileAccess::kWrite:
      return kWriteRights;
  }
  return 0;
}

// Between fork and exec too: 0 or errno.
int allow(int ruleset, const char* path, std::uint64_t rights) {
  const int fd = ::open(path, O_PATH | O_CLOEXEC);
  if (fd < 0) return errno;
  struct stat status {};
  int failure = ::fstat(fd, &status) != 0 ? errno : 0;
  landlock_path_beneath_attr rule{};
  rule.parent_fd = fd;
  rule.allowed_access = S_ISDIR(status.st_mode) ? rights : rights & kRightsOfFiles;
  if (failure == 0 &&
      ::syscall(__NR_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) != 0) {
    failure = errno;
  }
  ::close(fd);
  return failure;
}

// What is not there, or out of reach for us, needs no rule.
bool may_be_missing(int failure) {
  return failure == ENOENT || failure == ENOTDIR || failure == EACCES;
}

}  // namespace

int landlock_version() {
  return static_cast<int>(
      ::syscall(__NR_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION));
}

LandlockRules::LandlockRules(const std::vector<SandboxPath>& files) {
  const int version = landlock_version();
  RulesetAttributes attributes;
  attributes.files = known_rights(version);
  if (version >= kLandlockWithSignals) attributes.scopes = kAbstractSockets | kSignals;
  // Always closed on exec.
  ruleset_ = FileDescriptor(
      static_cast<int>(::syscall(__NR_landlock_create_ruleset, &attributes, sizeof attributes, 0)));
  if (!ruleset_) throw_errno("make the Landlock rules of a sandbox");
  for (const SandboxPath& file : files) {
    const std::uint64_t rights = rights_of(file.access) & attributes.files;
    const int failure = allow(ruleset_.get(), file.path.c_str(), rights);
    if (failure == 0 || may_be_missing(failure)) continue;
    errno = failure;
    throw_errno("allow " + file.path.string() + " in a sandbox");
  }
}

int LandlockRules::restrict() const {
  if (const int failure = allow(ruleset_.get(), "/proc/self", kReadRights);
      failure != 0 && !may_be_missing(failure)) {
    return failure;
  }
  return ::syscall(__NR_landlock_restrict_self, ruleset_.get(), 0) == 0 ? 0 : errno;
}

}  // namespace coppice
