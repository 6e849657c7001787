// Background: commands that go on in a process of their own, detached from the terminal.
//
// Model    start_in_background() starts this program again with the same words and waits until that
//          process says which job it runs, and that the job has all it needs: what is wrong with
//          the statement is told here, as without --background. The process has a session of its
//          own, writes into HOME/log/jobs, keeps the working directory, inherits no file; it lives
//          on when the shell ends. JobProcess is the other side.
// Threads  One thread.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/files.h"
#include "config/config.h"
#include "engine/engine.h"

namespace coppice::cli {

class Session;

// Prints the job's id. `arguments` are those after the program's name.
int start_in_background(Session& session, std::span<const std::string> arguments);

// Starts the processes of background jobs again that have lost theirs.
void start_abandoned_jobs(Session& session, Engine& engine);

// This process runs a background job.
class JobProcess {
 public:
  // When the environment says so: moves the standard streams to the log. Takes its variable out of
  // the environment, also of the process.
  static std::unique_ptr<JobProcess> adopt(Environment& environment,
                                           std::span<const std::string> arguments);

  // What the engine is to do; this object must outlive it.
  BackgroundCommand command(const std::filesystem::path& home);

 private:
  void name_log(const std::filesystem::path& file);
  void report(const std::string& line);

  std::vector<std::string> words_;
  std::optional<std::string> replaces_;
  std::filesystem::path log_;
  FileDescriptor report_;
};

}  // namespace coppice::cli
