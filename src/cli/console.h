// Console: standard input, output and error of one run of the program.
//
// Model    Standard output holds results only. Standard error holds everything about them: errors,
//          warnings, notices and progress; as text for people, or as one JSON object a line when
//          --json was given. A progress bar is drawn on a terminal only, and wiped before any other
//          output. What cannot be written to standard error is dropped: it stops nothing.
// Threads  progress() may be called from any thread at any time, the rest from one.
#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "cli/output.h"
#include "engine/result_sink.h"

namespace coppice::cli {

struct Streams {
  int input = 0;
  int output = 1;
  int errors = 2;
};

enum class ProgressForm { kNone, kBar, kJsonLines };

class Console {
 public:
  explicit Console(const Streams& streams);

  // Messages as JSON from now on.
  void use_json() { json_ = true; }
  void use_progress(ProgressForm form) { progress_form_ = form; }
  void use_quiet() { quiet_ = true; }

  // Results; ask for it anew for each piece so that a progress bar is wiped first.
  Output& out();
  // For plans shown before a question; messages go through the methods below.
  Output& err();
  int input_fd() const { return streams_.input; }

  bool input_is_terminal() const { return input_is_terminal_; }
  bool output_is_terminal() const { return output_is_terminal_; }
  bool errors_are_terminal() const { return errors_are_terminal_; }
  bool json() const { return json_; }
  bool quiet() const { return quiet_; }
  // Columns of the terminal that standard output is; 0 when it is none.
  std::size_t width() const;

  void error(const Error& error);
  void warning(std::string_view text);
  void notice(std::string_view text);
  // A line of --json output about a statement without rows.
  void event(std::string_view json_object);
  void progress(const Progress& progress);
  void wipe_progress();

  // Writes `question` to standard error and reads the answer; true for y or yes.
  bool ask(std::string_view question);
  // One line from standard input without its end; nullopt at the end. A signal
  // throws kInterrupted.
  std::optional<std::string> read_line();

 private:
  void message(std::string_view kind, std::string_view text);
  void draw_bar(const Progress& progress);
  void wipe_bar();

  Streams streams_;
  bool input_is_terminal_, output_is_terminal_, errors_are_terminal_;
  bool json_ = false;
  bool quiet_ = false;
  ProgressForm progress_form_ = ProgressForm::kNone;
  Output out_;
  Output err_;

  std::mutex mutex_;  // guards err_ and what follows
  bool bar_is_drawn_ = false;
  std::string progress_what_;
  std::chrono::steady_clock::time_point progress_began_;
  std::chrono::steady_clock::time_point progress_shown_;
};

}  // namespace coppice::cli
