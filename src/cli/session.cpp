#include "cli/session.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <iterator>

#include "base/error.h"
#include "base/files.h"
#include "config/home.h"

namespace coppice::cli {

Session::Session(const Invocation& invocation, EngineFactory& factory, Console& console,
                 const Environment& environment, JobProcess* job)
    : invocation_(invocation),
      factory_(factory),
      console_(console),
      environment_(environment),
      job_(job) {}

namespace {

// Not those that only look, and not those that are about to say what is to become of a job.
bool starts_jobs(std::string_view verb) {
  constexpr std::string_view kWithout[] = {"jobs list", "jobs show",    "jobs pause", "jobs cancel",
                                           "status",    "jobs discard", "doctor"};
  return !verb.starts_with("debug ") &&
         std::find(std::begin(kWithout), std::end(kWithout), verb) == std::end(kWithout);
}

}  // namespace

const Config& Session::config() {
  if (config_) return *config_;
  ConfigRequest request;
  if (const auto home = invocation_.value("--home")) request.home = *home;
  request.database_url = invocation_.value("--database");
  request.environment = environment_;
  config_ = Config::load(request);
  for (const std::string& warning : config_->warnings()) console_.warning(warning);
  check_home_format(config_->home());
  return *config_;
}

Engine& Session::engine() {
  if (!engine_) {
    engine_ = factory_.open(config());
    signals_.emplace(*engine_);
    if (const auto budget = invocation_.value("--budget")) engine_->set_budget(*budget);
    if (job_ != nullptr) {
      engine_->run_in_background(job_->command(config().home()));
    } else if (starts_jobs(invocation_.verb().name)) {
      start_abandoned_jobs(*this, *engine_);
    }
  }
  return *engine_;
}

void Session::rearm_signals() {
  signals_.reset();
  signals_.emplace(engine());
}

RowFormat Session::format(RowFormat otherwise) const {
  if (invocation_.has("--json")) return RowFormat::kJson;
  if (invocation_.has("--csv")) return RowFormat::kCsv;
  return otherwise;
}

PrintingSink Session::sink(RowFormat otherwise, bool stop_when_closed) {
  const RowStyle style{format(otherwise), console_.width(), !console_.quiet()};
  std::function<void()> on_closed;
  if (stop_when_closed) {
    on_closed = [this] {
      if (engine_) engine_->request_stop();
    };
  }
  return PrintingSink(console_, console_.out(), style, std::move(on_closed));
}

void Session::say(const std::string& text, const std::string& json) {
  if (format() == RowFormat::kJson) {
    console_.out().write(json + "\n");
  } else if (!console_.quiet()) {
    console_.out().write(text + "\n");
  }
}

void Session::confirm(const std::string& what, const std::function<void(ResultSink&)>& show_plan) {
  if (invocation_.has("--yes")) return;
  if (!console_.input_is_terminal() || !console_.errors_are_terminal()) {
    throw Error(ErrorCode::kRefused,
                "this would " + what + ", and there is no terminal to ask at; nothing was done",
                "add --yes to go ahead");
  }
  if (show_plan) {
    Output& output = console_.err();
    PrintingSink plan(console_, output, {RowFormat::kTable, console_.width(), true});
    show_plan(plan);
    output.flush();
  }
  std::string question = what + "?";
  question.front() = static_cast<char>(::toupper(question.front()));
  if (!console_.ask(question)) {
    throw Error(ErrorCode::kRefused, "not confirmed; nothing was done");
  }
}

std::string read_text(Session& session, const std::string& file) {
  if (file != "-") return read_file(file);
  std::string text;
  char buffer[1 << 16];
  for (;;) {
    const ssize_t size = ::read(session.console().input_fd(), buffer, sizeof buffer);
    if (size < 0 && errno == EINTR) throw Error(ErrorCode::kInterrupted, "interrupted");
    if (size < 0) throw_errno("read standard input");
    if (size == 0) return text;
    text.append(buffer, static_cast<std::size_t>(size));
  }
}

}  // namespace coppice::cli
