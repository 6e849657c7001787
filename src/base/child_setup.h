// ChildSetup: what a child does between fork and exec, for ChildProcess.
//
// Model    Made before fork. run() is for the child and makes only async-signal-safe calls: another
//          thread may have held any lock when the process was copied.
// Errors   The constructor throws what Sandbox does. run() returns 0 or errno, and leaves the name
//          of the step that failed in *step.
#pragma once

#include <sys/types.h>

#include <array>
#include <optional>
#include <string>

#include "base/process.h"
#include "base/sandbox.h"

namespace coppice {

class ChildSetup {
 public:
  // Borrows the options.
  explicit ChildSetup(const ChildOptions& options);
  // `fds` replace the standard streams, -1 leaves one as it is.
  int run(const std::array<int, 3>& fds, pid_t parent, const char** step);
  // What run() could set up.
  const Protections& protections() const { return protections_; }

 private:
  int switch_account() const;
  void enter_namespaces();
  void enter_namespaces_of_own_user(bool may_map);
  void entered(int namespaces);
  int set_limits() const;

  const ChildOptions& options_;
  std::optional<Sandbox> sandbox_;
  std::string user_map_, group_map_;
  int wanted_ = 0;  // CLONE_NEW…
  Protections protections_;
};

}  // namespace coppice
