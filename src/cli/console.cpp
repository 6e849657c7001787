#include "cli/console.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>

#include "base/text.h"
#include "cli/display_text.h"
#include "cli/json_text.h"
#include "cli/progress_bar.h"

namespace coppice::cli {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

// A bar that flashes up for a moment only disturbs.
constexpr milliseconds kBarAfter(400);
constexpr milliseconds kBarEvery(100);
constexpr milliseconds kJsonEvery(1000);

std::size_t terminal_width(int fd) {
  winsize size{};
  if (::ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  return 80;
}

}  // namespace

Console::Console(const Streams& streams)
    : streams_(streams),
      input_is_terminal_(::isatty(streams.input) == 1),
      output_is_terminal_(::isatty(streams.output) == 1),
      errors_are_terminal_(::isatty(streams.errors) == 1),
      out_(streams.output, "standard output"),
      err_(streams.errors, "standard error", WhenUnwritable::kGiveUp) {}

Output& Console::out() {
  if (progress_form_ == ProgressForm::kBar) wipe_progress();
  return out_;
}

Output& Console::err() {
  wipe_progress();
  return err_;
}

std::size_t Console::width() const {
  return output_is_terminal_ ? terminal_width(streams_.output) : 0;
}

void Console::message(std::string_view kind, std::string_view text) {
  const std::lock_guard lock(mutex_);
  wipe_bar();
  if (json_) {
    err_.write(JsonObject().add(kind, text).text() + "\n");
  } else {
    err_.write("coppice: " + std::string(kind) + ": " + std::string(text) + "\n");
  }
  err_.flush();
}

void Console::error(const Error& error) {
  if (!json_) {
    message("error", error.message());
    if (error.hint().empty()) return;
    const std::lock_guard lock(mutex_);
    err_.write("hint: " + error.hint() + "\n");
    err_.flush();
    return;
  }
  JsonObject inner;
  inner.add("code", code_name(error.code())).add("message", error.message());
  if (error.hint().empty()) {
    inner.add_json("hint", "null");
  } else {
    inner.add("hint", error.hint());
  }
  event(JsonObject().add_json("error", inner.text()).text());
}

void Console::warning(std::string_view text) {
  if (!quiet_) message("warning", text);
}

void Console::notice(std::string_view text) {
  if (!quiet_) message("notice", text);
}

void Console::event(std::string_view json_object) {
  const std::lock_guard lock(mutex_);
  wipe_bar();
  err_.write(json_object);
  err_.write('\n');
  err_.flush();
}

void Console::progress(const Progress& progress) {
  if (progress_form_ == ProgressForm::kNone || quiet_) return;
  const std::lock_guard lock(mutex_);
  const auto now = steady_clock::now();
  if (progress.what != progress_what_) {
    progress_what_ = progress.what;
    progress_began_ = now;
    progress_shown_ = {};
  }
  const bool bar = progress_form_ == ProgressForm::kBar;
  if (bar && now - progress_began_ < kBarAfter) return;
  const bool last = !bar && progress.total > 0 && progress.done == progress.total;
  if (!last && now - progress_shown_ < (bar ? kBarEvery : kJsonEvery)) return;
  progress_shown_ = now;
  if (bar) {
    draw_bar(progress);
  } else {
    err_.write(progress_json(progress) + "\n");
    err_.flush();
  }
}

void Console::draw_bar(const Progress& progress) {
  const std::size_t width = terminal_width(streams_.errors);
  err_.write("\r" + progress_bar(progress, steady_clock::now() - progress_began_, width - 1) +
             "\x1b[K");
  err_.flush();
  bar_is_drawn_ = true;
}

void Console::wipe_progress() {
  const std::lock_guard lock(mutex_);
  wipe_bar();
}

void Console::wipe_bar() {
  if (!bar_is_drawn_) return;
  err_.write("\r\x1b[K");
  err_.flush();
  bar_is_drawn_ = false;
}

bool Console::ask(std::string_view question) {
  out().flush();
  {
    const std::lock_guard lock(mutex_);
    err_.write(std::string(question) + " [y/N] ");
    err_.flush();
  }
  const std::string answer = lower(trim(read_line().value_or("")));
  return answer == "y" || answer == "yes";
}

std::optional<std::string> Console::read_line() {
  std::string line;
  for (;;) {
    char c = 0;
    const ssize_t size = ::read(streams_.input, &c, 1);
    if (size < 0 && errno == EINTR) throw Error(ErrorCode::kInterrupted, "interrupted");
    if (size <= 0) return line.empty() ? std::nullopt : std::optional(line);
    if (c == '\n') return line;
    line += c;
  }
}

}  // namespace coppice::cli
