#include "cli/run.h"

#include <algorithm>
#include <exception>
#include <filesystem>
#include <new>

#include "cli/background.h"
#include "cli/command_line.h"
#include "cli/session.h"
#include "cli/verb_functions.h"

namespace coppice::cli {
namespace {

int report(Console& console, const Error& error) {
  console.error(error);
  return exit_code(error.code());
}

// Runs `body`; whatever it throws becomes a message and an exit code.
template <typename Body>
int guarded(Console& console, const Body& body) {
  try {
    return body();
  } catch (const Error& error) {
    // The engine was asked to stop because nobody reads any more: that is no failure.
    if (console.out().closed() && error.code() == ErrorCode::kInterrupted) return 0;
    return report(console, error);
  } catch (const std::filesystem::filesystem_error& error) {
    const std::string what =
        error.path1().empty() ? "find the working directory" : "use " + error.path1().string();
    return report(console, Error(ErrorCode::kIo, "cannot " + what + ": " + error.code().message()));
  } catch (const std::bad_alloc&) {
    return report(console, Error(ErrorCode::kInternal, "out of memory"));
  } catch (const std::exception& error) {
    return report(console, Error(ErrorCode::kInternal, error.what(),
                                 "this is a defect of coppice; please report it with the command"));
  }
}

void set_up(Console& console, const Invocation& invocation) {
  if (invocation.has("--json")) console.use_json();
  if (invocation.has("--quiet")) console.use_quiet();
  if (console.errors_are_terminal()) {
    console.use_progress(ProgressForm::kBar);
  } else if (invocation.has("--json") || invocation.has("--progress")) {
    console.use_progress(ProgressForm::kJsonLines);
  }
}

}  // namespace

int run(std::span<const std::string> arguments, EngineFactory& factory, const Streams& streams,
        const Environment& given_environment) {
  Environment environment = given_environment;
  const std::unique_ptr<JobProcess> job = JobProcess::adopt(environment, arguments);
  Console console(streams);
  // Even what is wrong with the command line is told as JSON to a program that asked for it.
  if (std::find(arguments.begin(), arguments.end(), "--json") != arguments.end())
    console.use_json();
  const int code = guarded(console, [&] {
    const Invocation invocation = parse_command_line(arguments);
    set_up(console, invocation);
    Session session(invocation, factory, console, environment, job.get());
    if (invocation.has("--background") && job == nullptr) {
      return start_in_background(session, arguments);
    }
    return find_verb_function(invocation.verb().name)(session);
  });
  const int flushed = guarded(console, [&] {
    console.out().flush();
    return 0;
  });
  return code != 0 ? code : flushed;
}

}  // namespace coppice::cli
