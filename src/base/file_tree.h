// FileTree: a file system in which nothing but some paths exists, for the sandbox where the kernel
// has no Landlock.
//
// Model    In a mount namespace of the child's own, each path is mounted again under the name it
//          has, in an empty tree in memory, which then takes the place of the root. Everything is
//          read-only but what may be written.
// Errors   enter() is for the child, between fork and exec: it returns 0 or errno, and after an
//          error the child still has the old root.
// Source   mount_namespaces(7), pivot_root(2), section "pivot_root(".", ".")".
#pragma once

#include <string>
#include <vector>

#include "base/sandbox.h"

namespace coppice {

class FileTree {
 public:
  explicit FileTree(const std::vector<SandboxPath>& files);
  int enter();

 private:
  struct Entry {
    std::string path;
    std::vector<std::string> folders;  // that lead to it, outermost first
    unsigned long attributes = 0;      // of mount_setattr
    bool is_folder = false;
    int tree = -1;  // what was copied from the old root
  };
  int copy_trees();
  int build() const;

  std::vector<Entry> entries_;
};

}  // namespace coppice
