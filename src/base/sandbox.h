// Sandbox: what a child process may reach, even when what it reads has taken it over.
//
// Model    Files: those of `files` and nothing else, by Landlock, or where the kernel has none by a
//          mount namespace in which nothing else exists. System calls: a filter refuses sockets,
//          the memory of other processes, and whatever would reach files past the first wall.
//          Descriptors above 2 are closed. A wall that this kernel does not have is left out:
//          examine_child() of process.h tells which ones stand.
// Order    Made before fork, where memory may be taken and errors thrown. After it, in the child:
//          enter_file_tree() as whoever may mount, then restrict() as the last thing before exec.
// Errors   The constructor throws what making a Landlock ruleset throws. In the child every call
//          returns 0 or errno.
// Source   docs/decisions/0004-worker-sandbox.md
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace coppice {

enum class FileAccess {
  kRead,
  kRun,    // read, and execute
  kWrite,  // read, write, create and remove
};

struct SandboxPath {
  std::filesystem::path path;  // a file, or a folder with all that is in it; absolute
  FileAccess access = FileAccess::kRead;
};

enum class FileWall { kNone, kMounts, kLandlock };

struct SandboxOptions {
  std::vector<SandboxPath> files;     // one that is not there is left out; the program is added
  std::optional<FileWall> file_wall;  // for tests and measurements: instead of the best there is
};

// The walls around a child.
struct Protections {
  FileWall files = FileWall::kNone;
  bool call_filter = false;
  bool network_namespace = false;
  bool opens_private_file = false;
};

// The libraries, programs, fonts and devices of the system that any program needs to run.
std::vector<SandboxPath> system_paths();

// kLandlock, or kMounts where the kernel has none; that may still be refused to the child.
FileWall best_file_wall();
// Whether the kernel and this build have filters of system calls.
bool has_call_filter();

class Sandbox {
 public:
  // `network`: sockets of the internet, and no others; else none.
  Sandbox(const SandboxOptions& options, const std::string& program, bool network);
  ~Sandbox();
  Sandbox(const Sandbox&) = delete;
  Sandbox& operator=(const Sandbox&) = delete;

  // True when the wall around files is a mount namespace, which enter_file_tree() fills.
  bool wants_file_tree() const;
  // Needs a mount namespace of the caller's own, and the right to mount in it. When it fails, the
  // caller still sees every file.
  int enter_file_tree();
  // Gives up new privileges too, which the kernel asks for.
  int restrict() const;
  // What restrict() sets up.
  Protections protections() const;

 private:
  struct Walls;
  std::unique_ptr<Walls> walls_;
};

}  // namespace coppice
