// Shell: statements and backslash commands, typed or piped, until the input ends.
//
// Model    Lines are collected until Engine::is_incomplete says the statement is whole; a line that
//          begins with a backslash is a command even then, unless a quote is open. An error is
//          reported and the shell goes on. Ctrl-C gives up the line, or asks the running statement
//          to stop. Piped input ends with exit code 0 when everything worked, 1 when everything
//          failed, 3 when part of it did.
// Threads  One thread.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "cli/line_reader.h"
#include "cli/session.h"

namespace coppice::cli {

class Shell {
 public:
  Shell(Session& session, LineReader& reader) : session_(session), reader_(reader) {}
  // Returns the exit code.
  int run();
  // What may follow at the end of `text`, in statements and in backslash commands.
  static std::vector<std::string> complete(Engine& engine, std::string_view text);

 private:
  void take_line(const std::string& line);
  bool is_quoting();
  void run_command(const std::string& line);
  void run_statement(const std::string& text);
  // Runs `body` with a sink; reports its error.
  void guarded(const std::function<void(ResultSink&)>& body);
  void say(std::string_view text);
  std::string prompt() const;

  Session& session_;
  LineReader& reader_;
  std::string pending_;  // lines of a statement that is not whole yet
  bool expanded_ = false;
  bool timing_ = false;
  bool ended_ = false;
  std::uint64_t succeeded_ = 0;
  std::uint64_t failed_ = 0;
};

}  // namespace coppice::cli
