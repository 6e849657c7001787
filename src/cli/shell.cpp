#include "cli/shell.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

#include "base/error.h"
#include "base/files.h"
#include "base/text.h"
#include "cli/verb_functions.h"

namespace coppice::cli {
namespace {

struct ShellCommand {
  std::string_view name;
  std::string_view argument;  // empty: takes none; "[NAME]": optional
  std::string_view doc;
};

constexpr std::array<ShellCommand, 10> kCommands = {{
    {"\\d", "[NAME]", "columns of a table or view; without a name, list them"},
    {"\\dt", "", "list tables and views; also \\l"},
    {"\\df", "", "list engine functions"},
    {"\\history", "TABLE", "versions of a table"},
    {"\\i", "FILE", "run the statements of a file"},
    {"\\r", "", "give up the lines typed so far; also Ctrl-C"},
    {"\\x", "", "one line a column, on or off"},
    {"\\timing", "", "print how long each statement takes, on or off"},
    {"\\?", "", "this list"},
    {"\\q", "", "leave; also Ctrl-D"},
}};

std::string help() {
  std::string text = "End statements with a semicolon. Tab completes names.\n";
  for (const ShellCommand& command : kCommands) {
    text += fmt::format("  {:<18}{}\n", fmt::format("{} {}", command.name, command.argument),
                        command.doc);
  }
  text.pop_back();
  return text;
}

std::string required(std::string_view command, const std::string& argument) {
  if (argument.empty()) throw Error(ErrorCode::kUsage, fmt::format("{} needs a name", command));
  return argument;
}

}  // namespace

int Shell::run() {
  while (!ended_) {
    const Line line = reader_.read(prompt());
    if (line.end == Line::End::kInterrupted) {
      pending_.clear();
      continue;
    }
    if (line.end == Line::End::kEndOfInput) {
      // A last statement without its semicolon still counts in a file. At a terminal Ctrl-D leaves:
      // "DELETE FROM t" may have been waiting for its WHERE.
      if (!trim(pending_).empty() && !session_.console().input_is_terminal()) {
        run_statement(std::exchange(pending_, {}));
      }
      break;
    }
    take_line(line.text);
    if (session_.console().out().closed()) break;
  }
  if (session_.console().input_is_terminal() || failed_ == 0) return 0;
  return exit_code(succeeded_ == 0 ? ErrorCode::kInternal : ErrorCode::kPartlyDone);
}

std::string Shell::prompt() const { return trim(pending_).empty() ? "coppice=> " : "coppice-> "; }

void Shell::take_line(const std::string& line) {
  const bool fresh = trim(pending_).empty();
  if (fresh && trim(line).empty()) return;
  if (trim(line).starts_with('\\') && (fresh || !is_quoting())) {
    reader_.remember(line);
    run_command(std::string(trim(line)));
    return;
  }
  pending_ += fresh ? line : "\n" + line;
  bool incomplete = false;
  guarded([&](ResultSink&) { incomplete = session_.engine().is_incomplete(pending_); });
  if (incomplete) return;
  const std::string statement = std::exchange(pending_, {});
  reader_.remember(statement);
  run_statement(statement);
}

// Whether a quote, a dollar quote or a comment of the lines so far is still open: then even a
// semicolon ends nothing.
bool Shell::is_quoting() {
  bool quoting = false;
  // Open parentheses are closed first: they keep a semicolon from ending a statement, too.
  const auto open = std::count(pending_.begin(), pending_.end(), '(');
  const std::string closed =
      pending_ + "\n" + std::string(static_cast<std::size_t>(open), ')') + ";";
  guarded([&](ResultSink&) { quoting = session_.engine().is_incomplete(closed); });
  return quoting;
}

void Shell::run_statement(const std::string& text) {
  const auto begin = std::chrono::steady_clock::now();
  const std::uint64_t failed_before = failed_;
  guarded([&](ResultSink& sink) { session_.engine().sql(text, {}, sink); });
  if (failed_ == failed_before) ++succeeded_;
  if (!timing_) return;
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - begin;
  say("Time: " + human_seconds(elapsed.count()));
}

void Shell::run_command(const std::string& line) {
  const std::size_t space = std::min(line.find_first_of(" \t"), line.size());
  const std::string name = line.substr(0, space);
  std::string argument(trim(std::string_view(line).substr(space)));
  while (argument.ends_with(';')) argument.pop_back();
  Engine& engine = session_.engine();
  if (name == "\\q") {
    ended_ = true;
  } else if (name == "\\r") {
    pending_.clear();
  } else if (name == "\\?" || name == "\\h") {
    say(help());
  } else if (name == "\\x") {
    expanded_ = !expanded_;
    say(expanded_ ? "Expanded display is on." : "Expanded display is off.");
  } else if (name == "\\timing") {
    timing_ = !timing_;
    say(timing_ ? "Timing is on." : "Timing is off.");
  } else if (name == "\\i") {
    guarded([&](ResultSink& sink) { engine.sql(read_file(required(name, argument)), {}, sink); });
  } else if (name == "\\d" && !argument.empty()) {
    guarded([&](ResultSink& sink) { engine.describe(argument, sink); });
  } else if (name == "\\d" || name == "\\dt" || name == "\\l") {
    guarded([&](ResultSink& sink) { engine.ls(std::nullopt, sink); });
  } else if (name == "\\df") {
    guarded([&](ResultSink& sink) { engine.functions(sink); });
  } else if (name == "\\history") {
    guarded([&](ResultSink& sink) { engine.history(required(name, argument), sink); });
  } else {
    guarded([&](ResultSink&) {
      std::vector<std::string> names;
      for (const ShellCommand& command : kCommands) names.emplace_back(command.name);
      const std::string nearest = did_you_mean(name, names);
      throw Error(ErrorCode::kUsage, fmt::format("there is no shell command {}", name),
                  nearest.empty() ? "\\? lists them" : nearest);
    });
  }
}

void Shell::guarded(const std::function<void(ResultSink&)>& body) {
  Console& console = session_.console();
  try {
    session_.rearm_signals();
    const RowFormat form = expanded_ ? RowFormat::kExpanded : RowFormat::kTable;
    PrintingSink sink = session_.sink(form, false);
    body(sink);
  } catch (const Error& error) {
    ++failed_;
    console.out().flush();
    console.error(error);
  }
  console.out().flush();
}

void Shell::say(std::string_view text) {
  session_.console().out().write(std::string(text) + "\n");
  session_.console().out().flush();
}

std::vector<std::string> Shell::complete(Engine& engine, std::string_view text) {
  if (!text.starts_with('\\')) return engine.complete(text);
  const std::size_t space = text.find(' ');
  if (space == std::string_view::npos) {
    std::vector<std::string> names;
    for (const ShellCommand& command : kCommands) names.emplace_back(command.name);
    return names;
  }
  // After a command a table's name is wanted, as after FROM.
  return engine.complete("SELECT * FROM " + std::string(trim(text.substr(space))));
}

int run_shell(Session& session) {
  Console& console = session.console();
  Engine& engine = session.engine();
  if (!console.input_is_terminal() || !console.output_is_terminal()) {
    const std::unique_ptr<LineReader> reader = make_stream_reader(console);
    return Shell(session, *reader).run();
  }
  const Streams streams{console.input_fd(), console.out().fd(), console.err().fd()};
  const std::unique_ptr<LineReader> reader = make_editing_reader(
      streams, session.config().home() / "shell_history",
      [&engine](std::string_view text) { return Shell::complete(engine, text); });
  if (!console.quiet()) {
    console.out().write("Connected to " + session.config().home().string() +
                        ". \\? for help, \\q to leave.\n");
    console.out().flush();
  }
  return Shell(session, *reader).run();
}

}  // namespace coppice::cli
