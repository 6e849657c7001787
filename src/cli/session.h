// Session: what a verb works with: the invocation, the settings, the engine and the console.
//
// Model    Settings are loaded and the engine is opened when first asked for, so that `version` or
//          `doctor --config` need neither. While the engine is open, Ctrl-C stops its verb.
// Threads  One thread.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "cli/background.h"
#include "cli/command_line.h"
#include "cli/console.h"
#include "cli/engine_factory.h"
#include "cli/printing_sink.h"
#include "cli/stop_signals.h"
#include "config/config.h"

namespace coppice::cli {

class Session {
 public:
  Session(const Invocation& invocation, EngineFactory& factory, Console& console,
          const Environment& environment, JobProcess* job = nullptr);

  const Invocation& arguments() const { return invocation_; }
  Console& console() { return console_; }
  EngineFactory& factory() { return factory_; }
  const Environment& environment() const { return environment_; }

  const Config& config();
  Engine& engine();
  // The next signal counts as the first again: for a shell, before each statement.
  void rearm_signals();

  // The form --json and --csv ask for, `otherwise` without them.
  RowFormat format(RowFormat otherwise = RowFormat::kTable) const;
  // A sink that prints to standard output. When the reader goes away, the engine is asked to stop
  // if `stop_when_closed`: right for what only reads.
  PrintingSink sink(RowFormat otherwise = RowFormat::kTable, bool stop_when_closed = true);
  // Prints one line of output for people, or `json` with --json.
  void say(const std::string& text, const std::string& json);

  // Returns when the user agrees to `what` ("drop the snapshot x"): by --yes, or at the terminal
  // after `show_plan` has run. Throws kRefused when not.
  void confirm(const std::string& what, const std::function<void(ResultSink&)>& show_plan = {});

 private:
  const Invocation& invocation_;
  EngineFactory& factory_;
  Console& console_;
  const Environment& environment_;
  std::optional<Config> config_;
  JobProcess* job_;  // when this process runs a background job
  std::unique_ptr<Engine> engine_;
  std::optional<StopSignals> signals_;
};

// The bytes of a file, or of standard input for "-".
std::string read_text(Session& session, const std::string& file);

}  // namespace coppice::cli
