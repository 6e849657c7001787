// LandlockRules: which files a process may touch, for the sandbox.
//
// Model    A ruleset of the kernel, made before fork; the child adds its own /proc/self and shuts
//          itself in. What a rule allows holds for the file or folder itself, not for its name.
// Errors   The constructor throws kIo. restrict() is for the child: it returns 0 or errno.
// Source   landlock(7). Version 2 of its interface (kernel 5.19) is the first in which a file may
//          be moved between two folders, as the media store does; version 6 (6.12) also keeps
//          signals in.
#pragma once

#include <vector>

#include "base/files.h"
#include "base/sandbox.h"

namespace coppice {

inline constexpr int kOldestLandlock = 2;
inline constexpr int kLandlockWithSignals = 6;

// The version of the kernel's interface; below 1 where there is none.
int landlock_version();

class LandlockRules {
 public:
  explicit LandlockRules(const std::vector<SandboxPath>& files);
  int restrict() const;

 private:
  FileDescriptor ruleset_;
};

}  // namespace coppice
