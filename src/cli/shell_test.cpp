#include "cli/shell.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <chrono>

#include "cli/invoke.h"

namespace coppice::cli {
namespace {

namespace fs = std::filesystem;
using Calls = std::vector<std::string>;

Calls statements(const FakeState& state) {
  Calls calls;
  for (const std::string& call : state.calls) {
    if (!call.starts_with("complete ")) calls.push_back(call);
  }
  return calls;
}

TEST(Shell, RunsPipedStatementsAndCommands) {
  FakeState state;
  const ScratchFolder scratch(fs::temp_directory_path());
  write_file_atomically(scratch.path() / "q.sql", "SELECT 9;");
  const Outcome outcome =
      invoke(state, {"shell"},
             "SELECT\n 1;\n\n\\d\n\\d films.film\n\\dt\n\\l\n\\df\n\\history t;\n\\i " +
                 (scratch.path() / "q.sql").string() + "\nSELECT 'no semicolon'\n");
  EXPECT_EQ(outcome.code, 0) << outcome.errors;
  EXPECT_EQ(state.calls,
            (Calls{"sql SELECT\n 1;", "ls -", "describe films.film", "ls -", "ls -", "functions",
                   "history t", "sql SELECT 9;", "sql SELECT 'no semicolon'"}));
  EXPECT_EQ(outcome.output.find("coppice=>"), std::string::npos) << "no prompts in a pipe";
}

TEST(Shell, GoesOnAfterErrorsAndTellsAtTheEnd) {
  FakeState state;
  state.fail = [&] {
    if (state.calls.back().find("bad") != std::string::npos)
      throw Error(ErrorCode::kSyntax, "wrong");
  };
  Outcome outcome = invoke(state, {"shell"}, "bad;\ngood;\n");
  EXPECT_EQ(outcome.code, 3);
  EXPECT_EQ(outcome.errors, "coppice: error: wrong\n");
  EXPECT_EQ(state.calls, (Calls{"sql bad;", "sql good;"}));
  EXPECT_EQ(invoke(state, {"shell"}, "bad;\n").code, 1);
  outcome = invoke(state, {"shell"}, "\\histroy t\n\\i /nowhere\n\\history\n");
  EXPECT_NE(outcome.errors.find("did you mean \"\\history\"?"), std::string::npos)
      << outcome.errors;
  EXPECT_NE(outcome.errors.find("/nowhere"), std::string::npos);
  EXPECT_NE(outcome.errors.find("\\history needs a name"), std::string::npos);
}

TEST(Shell, TogglesTheDisplayAndQuits) {
  FakeState state;
  state.give = [](ResultSink& sink) { give_rows(sink, {{"n", "integer"}}, {{"1"}}); };
  const Outcome outcome = invoke(state, {"shell"}, "\\x\n\\timing\na;\n\\?\n\\q\nnever;\n");
  EXPECT_NE(outcome.output.find("-[ row 1 ]-\nn | 1\n(1 row)\nTime: "), std::string::npos)
      << outcome.output;
  EXPECT_NE(outcome.output.find("\\timing"), std::string::npos);
  EXPECT_EQ(statements(state), Calls{"sql a;"});
}

TEST(Shell, CommandsWorkWithinAStatementButNotWithinAQuote) {
  FakeState state;
  const Outcome outcome = invoke(state, {"shell"},
                                 "SELECT\n  \\d t\n1;\nSELECT '\n\\q\n';\nDELETE\n\\r\nSELECT 2;\n"
                                 "DELETE FROM t WHERE (a = 1\n\\r\nDELETE FROM t\n\\q\n");
  EXPECT_EQ(outcome.code, 0) << outcome.errors;
  EXPECT_EQ(state.calls,
            (Calls{"describe t", "sql SELECT\n1;", "sql SELECT '\n\\q\n';", "sql SELECT 2;"}));
}

TEST(MissingPart, FindsWhereTheCandidateBegins) {
  EXPECT_EQ(missing_part("SELECT * FROM films.fi", "films.film"), "lm");
  EXPECT_EQ(missing_part("SELECT * FROM films.fi", "film"), "lm");
  EXPECT_EQ(missing_part("SELECT * FROM films.fi", "films.frame"), std::nullopt);
  EXPECT_EQ(missing_part("sel", "SELECT"), "ECT");
  EXPECT_EQ(missing_part("SELECT f.ti", "title"), "tle");
  EXPECT_EQ(missing_part("SELECT ", "title"), "title");
  EXPECT_EQ(missing_part("SELECT x", "title"), std::nullopt);
  EXPECT_EQ(missing_part("\\hi", "\\history"), "story");
}

// A shell in a process of its own on a terminal of its own.
class TerminalTest : public ::testing::Test {
 protected:
  TerminalTest() : scratch_(fs::temp_directory_path()) {}
  ~TerminalTest() override {
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      ::waitpid(pid_, nullptr, 0);
    }
  }

  void start(const std::vector<std::string>& arguments) {
    int fd = -1;
    const winsize size = {.ws_row = 24, .ws_col = 80, .ws_xpixel = 0, .ws_ypixel = 0};
    pid_ = ::forkpty(&fd, nullptr, nullptr, &size);
    ASSERT_GE(pid_, 0);
    if (pid_ == 0) {
      ::setenv("TERM", "xterm", 1);
      ::setlocale(LC_CTYPE, "C.UTF-8");
      FakeFactory factory(state_);
      const int code = run(arguments, factory, {}, {{"COPPICE_HOME", scratch_.path().string()}});
      ::_exit(code);
    }
    terminal_ = FileDescriptor(fd);
  }
  void type(const std::string& keys) { write_all(terminal_.get(), keys, "terminal"); }
  // Everything shown until `text` is, or "" after ten seconds (the test then fails).
  std::string wait_for(const std::string& text) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (std::chrono::steady_clock::now() < end) {
      if (const std::size_t at = shown_.find(text); at != std::string::npos) {
        const std::string result = shown_.substr(0, at + text.size());
        shown_.erase(0, at + text.size());
        return result;
      }
      pollfd ready = {.fd = terminal_.get(), .events = POLLIN, .revents = 0};
      if (::poll(&ready, 1, 100) <= 0) continue;
      char buffer[4096];
      const ssize_t size = ::read(terminal_.get(), buffer, sizeof buffer);
      if (size <= 0) break;
      shown_.append(buffer, static_cast<std::size_t>(size));
    }
    ADD_FAILURE() << "no \"" << text << "\" in: " << shown_;
    return {};
  }
  // Until the shell edits a line. The prompt is written before the terminal is switched to single
  // characters; an end of input that comes in between is the terminal's, not the shell's.
  void wait_for_editing() {
    termios mode{};
    for (int i = 0; i < 1000; ++i, ::usleep(10'000)) {
      if (::tcgetattr(terminal_.get(), &mode) == 0 && (mode.c_lflag & ICANON) == 0) return;
    }
    ADD_FAILURE() << "the terminal stays in lines";
  }
  int wait_for_exit() {
    int status = 0;
    for (int i = 0; ::waitpid(pid_, &status, WNOHANG) == 0; ++i) {
      if (i == 1000) ::kill(pid_, SIGKILL);  // ten seconds: the test fails by its exit code
      ::usleep(10'000);
    }
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

  ScratchFolder scratch_;
  FakeState state_;
  pid_t pid_ = -1;
  FileDescriptor terminal_;
  std::string shown_;
};

TEST_F(TerminalTest, ShellPromptsContinuesAndKeepsAPrivateHistory) {
  state_.give = [this](ResultSink& sink) { sink.done("RAN " + state_.calls.back(), std::nullopt); };
  start({"shell"});
  wait_for("coppice=> ");
  type("SELECT 'é電\r");
  wait_for("coppice-> ");
  type("';\r");
  wait_for("RAN sql SELECT 'é電\r\n';");
  wait_for("coppice=> ");
  type("\x1b[A");  // the last statement again
  wait_for("SELECT 'é電");
  type("\x03");
  wait_for("^C");
  wait_for("coppice=> ");
  type("\\q\r");
  EXPECT_EQ(wait_for_exit(), 0);
  struct stat facts {};
  ASSERT_EQ(::stat((scratch_.path() / "shell_history").c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777, 0600U);
}

TEST_F(TerminalTest, ShellCompletesNames) {
  state_.give = [this](ResultSink& sink) { sink.done("RAN " + state_.calls.back(), std::nullopt); };
  start({"shell"});
  wait_for("coppice=> ");
  type("SELECT * FROM films.fi\t;\r");
  wait_for("RAN sql SELECT * FROM films.film ;");
  wait_for("coppice=> ");
  type("SELECT * FROM f\t\t");
  wait_for("films.film  films.frame");
  type("ilm;\r");
  wait_for("RAN sql");
  wait_for("coppice=> ");
  wait_for_editing();
  type("\x04");
  EXPECT_EQ(wait_for_exit(), 0);
}

TEST_F(TerminalTest, CtrlDRunsNoUnfinishedStatement) {
  state_.give = [this](ResultSink& sink) { sink.done("RAN " + state_.calls.back(), std::nullopt); };
  start({"shell"});
  wait_for("coppice=> ");
  type("DELETE FROM t\r");
  wait_for("coppice-> ");
  wait_for_editing();
  type("\x04");
  EXPECT_EQ(wait_for_exit(), 0);
  char rest[4096];
  for (ssize_t size; (size = ::read(terminal_.get(), rest, sizeof rest)) > 0;) {
    shown_.append(rest, static_cast<std::size_t>(size));
  }
  EXPECT_EQ(shown_.find("RAN"), std::string::npos) << shown_;
}

TEST_F(TerminalTest, CtrlCStopsTheStatementAndNotTheShell) {
  state_.give = [this](ResultSink& sink) {
    if (state_.calls.back() != "sql slow;") return sink.done("QUICK", std::nullopt);
    sink.notice("begun");
    while (state_.stops == 0) ::usleep(1000);
    state_.stops = 0;
    throw Error(ErrorCode::kInterrupted, "stopped; nothing was changed");
  };
  start({"shell"});
  wait_for("coppice=> ");
  for (int round = 0; round < 2; ++round) {
    type("slow;\r");
    wait_for("begun");
    type("\x03");
    wait_for("stopped; nothing was changed");
    wait_for("coppice=> ");
  }
  type("fast;\r");
  wait_for("QUICK");
  wait_for("coppice=> ");
  type("\\q\r");
  EXPECT_EQ(wait_for_exit(), 0);
}

TEST_F(TerminalTest, DestructionShowsThePlanAndAsks) {
  state_.give = [this](ResultSink& sink) { sink.done("DID " + state_.calls.back(), std::nullopt); };
  start({"revert", "t", "--to", "3"});
  wait_for("DID revert t 3 dry");
  wait_for("Revert t to version 3? [y/N] ");
  type("n\r");
  wait_for("nothing was done");
  EXPECT_EQ(wait_for_exit(), 5);
  start({"revert", "t", "--to", "3"});
  wait_for("[y/N] ");
  type("yes\r");
  wait_for("DID revert t 3\r\n");
  EXPECT_EQ(wait_for_exit(), 0);
}

TEST_F(TerminalTest, TablesAreCutToTheTerminalAndProgressIsWiped) {
  state_.give = [](ResultSink& sink) {
    sink.progress({"filling", 1, 10});
    ::usleep(500'000);
    sink.progress({"filling", 5, 10});
    give_rows(sink, {{"text", "text"}}, {{std::string(300, 'x')}});
  };
  start({"sql", "SELECT 1"});
  wait_for("filling");
  wait_for("50 %  5/10");
  wait_for("\r\x1b[K");
  const std::string table = wait_for("(1 row)");
  EXPECT_NE(table.find(std::string(77, 'x') + "…\r\n"), std::string::npos) << table;
  EXPECT_EQ(wait_for_exit(), 0);
}

TEST_F(TerminalTest, MediaBytesAreKeptFromTheTerminal) {
  start({"media", "cat", "media:1"});
  wait_for("redirect them");
  EXPECT_EQ(wait_for_exit(), 2);
}

}  // namespace
}  // namespace coppice::cli
