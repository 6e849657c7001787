#include "base/file_tree.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace coppice {
namespace {

// Covered by the new tree while that is built; any folder that every system has would do.
constexpr const char* kBuildingPlace = "/tmp";

unsigned long attributes_of(FileAccess access, bool is_device) {
  unsigned long attributes = MOUNT_ATTR_NOSUID;
  if (access != FileAccess::kWrite) attributes |= MOUNT_ATTR_RDONLY;
  if (access != FileAccess::kRun) attributes |= MOUNT_ATTR_NOEXEC;
  if (!is_device) attributes |= MOUNT_ATTR_NODEV;
  return attributes;
}

int set_attributes(int fd, const char* path, unsigned flags, unsigned long attributes) {
  mount_attr change{};
  change.attr_set = attributes;
  return ::mount_setattr(fd, path, flags, &change, sizeof change) == 0 ? 0 : errno;
}

// Relative to the folder that becomes the root.
const char* below_root(const std::string& path) { return path.c_str() + 1; }

}  // namespace

FileTree::FileTree(const std::vector<SandboxPath>& files) {
  for (const SandboxPath& file : files) {
    struct stat status {};
    if (::stat(file.path.c_str(), &status) != 0) continue;
    Entry entry;
    entry.path = file.path.lexically_normal().string();
    entry.is_folder = S_ISDIR(status.st_mode);
    entry.attributes = attributes_of(file.access, S_ISCHR(status.st_mode));
    for (std::size_t slash = entry.path.find('/', 1); slash != std::string::npos;
         slash = entry.path.find('/', slash + 1)) {
      entry.folders.push_back(entry.path.substr(0, slash));
    }
    entries_.push_back(std::move(entry));
  }
  // A folder comes before what lies in it, which would else be covered.
  std::stable_sort(entries_.begin(), entries_.end(),
                   [](const Entry& a, const Entry& b) { return a.path < b.path; });
}

int FileTree::copy_trees() {
  for (Entry& entry : entries_) {
    entry.tree = ::open_tree(AT_FDCWD, entry.path.c_str(),
                             OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
    if (entry.tree < 0) return errno;
    const int failure =
        set_attributes(entry.tree, "", AT_EMPTY_PATH | AT_RECURSIVE, entry.attributes);
    if (failure != 0) return failure;
  }
  return 0;
}

int FileTree::build() const {
  for (const Entry& entry : entries_) {
    // What exists already lies in another entry.
    for (const std::string& folder : entry.folders) ::mkdir(below_root(folder), 0755);
    if (entry.is_folder) {
      ::mkdir(below_root(entry.path), 0755);
    } else {
      ::close(::open(below_root(entry.path), O_CREAT | O_RDONLY | O_CLOEXEC, 0444));
    }
    if (::move_mount(entry.tree, "", AT_FDCWD, below_root(entry.path), MOVE_MOUNT_F_EMPTY_PATH) !=
        0) {
      return errno;
    }
    ::close(entry.tree);
  }
  return set_attributes(AT_FDCWD, ".", 0, MOUNT_ATTR_RDONLY);
}

int FileTree::enter() {
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return errno;
  if (const int failure = copy_trees(); failure != 0) return failure;
  if (::mount("none", kBuildingPlace, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC,
              "mode=0755,size=1m,nr_inodes=1k") != 0) {
    return errno;
  }
  int failure = ::chdir(kBuildingPlace) != 0 ? errno : build();
  // The old root then lies over the new one, and goes.
  if (failure == 0 && ::syscall(SYS_pivot_root, ".", ".") != 0) failure = errno;
  if (failure != 0) {
    ::umount2(kBuildingPlace, MNT_DETACH);
  } else if (::umount2(".", MNT_DETACH) != 0) {
    failure = errno;
  }
  return ::chdir("/") != 0 && failure == 0 ? errno : failure;
}

}  // namespace coppice
