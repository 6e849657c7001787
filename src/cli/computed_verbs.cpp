#include <fmt/core.h>
#include <poll.h>

#include <cstdlib>
#include <optional>

#include "base/error.h"
#include "cli/matching_sink.h"
#include "cli/verb_functions.h"

namespace coppice::cli {
namespace {

LineageFormat lineage_format(const Invocation& arguments) {
  const std::string format =
      arguments.value("--format").value_or(arguments.has("--json") ? "json" : "text");
  if (format == "json") return LineageFormat::kJson;
  return format == "dot" ? LineageFormat::kDot : LineageFormat::kText;
}

void act_on_job(Session& session, JobAction action) {
  PrintingSink sink = session.sink(RowFormat::kTable, false);
  session.engine().job(action, session.arguments().argument("ID"), sink);
}

bool reader_has_gone(int fd) {
  pollfd state = {.fd = fd, .events = POLLOUT, .revents = 0};
  return ::poll(&state, 1, 0) == 1 && (state.revents & POLLERR) != 0;
}

}  // namespace

int run_lineage(Session& session) {
  // The engine writes the text of each format itself, one line a row.
  PrintingSink sink(session.console(), session.console().out(), {RowFormat::kPlain, 0, false});
  session.engine().lineage(session.arguments().argument("TABLE_OR_COLUMN"),
                           lineage_format(session.arguments()), sink);
  return 0;
}

int run_errors(Session& session) {
  PrintingSink sink = session.sink();
  session.engine().errors(session.arguments().value("TABLE"), sink);
  return 0;
}

int run_recompute(Session& session) {
  const Invocation& arguments = session.arguments();
  PrintingSink sink = session.sink(RowFormat::kTable, false);
  session.engine().recompute(arguments.argument("TABLE"), arguments.all("COLUMN"),
                             arguments.value("--where"), arguments.has("--errors"), sink);
  return 0;
}

int run_alter_column(Session& session) {
  PrintingSink sink = session.sink(RowFormat::kTable, false);
  session.engine().alter_column(session.arguments().argument("TABLE.COLUMN"),
                                session.arguments().argument("EXPRESSION"), sink);
  return 0;
}

int run_jobs_list(Session& session) {
  PrintingSink sink = session.sink();
  session.engine().jobs(session.arguments().has("--all"), sink);
  return 0;
}

int run_jobs_resume(Session& session) {
  const bool all = session.arguments().has("--all");
  if (all == session.arguments().has("ID")) {
    throw Error(
        ErrorCode::kUsage,
        all ? "--all stands for every job: an ID beside it says nothing" : "which job is to go on?",
        "coppice jobs resume ID, or coppice jobs resume --all");
  }
  if (!all) {
    act_on_job(session, JobAction::kResume);
    return 0;
  }
  PrintingSink sink = session.sink(RowFormat::kTable, false);
  session.engine().resume_all(sink);  // background jobs: when the engine is opened
  return 0;
}

int run_jobs_show(Session& session) {
  PrintingSink sink = session.sink(RowFormat::kExpanded);
  session.engine().job(JobAction::kShow, session.arguments().argument("ID"), sink);
  return 0;
}

int run_jobs_wait(Session& session) {
  std::optional<double> seconds;
  if (const auto timeout = session.arguments().value("--timeout")) {
    char* end = nullptr;
    seconds = std::strtod(timeout->c_str(), &end);
    if (timeout->empty() || *end != '\0' || !(*seconds >= 0)) {
      throw Error(ErrorCode::kUsage,
                  fmt::format("--timeout \"{}\" is no number of seconds", *timeout));
    }
  }
  PrintingSink sink = session.sink(RowFormat::kTable, false);
  session.engine().wait_for_job(session.arguments().argument("ID"), seconds, sink);
  return 0;
}

int run_jobs_work(Session& session) {
  act_on_job(session, JobAction::kWork);
  return 0;
}

int run_jobs_pause(Session& session) {
  act_on_job(session, JobAction::kPause);
  return 0;
}

int run_jobs_cancel(Session& session) {
  session.confirm(
      fmt::format("take back all that job {} has done", session.arguments().argument("ID")),
      [&](ResultSink& sink) {
        session.engine().job(JobAction::kShow, session.arguments().argument("ID"), sink);
      });
  act_on_job(session, JobAction::kCancel);
  return 0;
}

int run_jobs_discard(Session& session) {
  const std::string id = session.arguments().argument("ID");
  const auto show = [&](ResultSink& sink) {
    MatchingSink job(sink, "id", id);
    session.engine().jobs(false, job);
    if (job.count() > 0) return;
    throw Error(ErrorCode::kNotFound, fmt::format("no job {} is there to give up", id),
                "see: coppice jobs");
  };
  if (session.arguments().has("--dry-run")) {
    PrintingSink sink = session.sink();
    show(sink);
    return 0;
  }
  session.confirm(fmt::format("give up job {} and what it has staged", id), show);
  act_on_job(session, JobAction::kDiscard);
  return 0;
}

int run_spending(Session& session) {
  PrintingSink sink = session.sink();
  session.engine().spending(session.arguments().value("--by").value_or("function"), sink);
  return 0;
}

int run_results_list(Session& session) {
  PrintingSink sink = session.sink();
  session.engine().results(sink);
  return 0;
}

int run_results_prune(Session& session) {
  const Invocation& arguments = session.arguments();
  ResultsToPrune which;
  which.function = arguments.value("--function");
  which.unused_for = arguments.value("--unused-for");
  which.stale = arguments.has("--stale");
  which.all = arguments.has("--all");
  const bool dry_run = arguments.has("--dry-run");
  if (!dry_run) {
    session.confirm("remove these results for good",
                    [&](ResultSink& plan) { session.engine().results_prune(which, true, plan); });
  }
  PrintingSink sink = session.sink(RowFormat::kTable, false);
  session.engine().results_prune(which, dry_run, sink);
  return 0;
}

int run_functions(Session& session) {
  PrintingSink sink = session.sink();
  session.engine().functions(sink);
  return 0;
}

int run_media_path(Session& session) {
  PrintingSink sink = session.sink(RowFormat::kPlain);
  session.engine().media_path(session.arguments().argument("VALUE"), sink);
  return 0;
}

int run_media_cat(Session& session) {
  if (session.console().output_is_terminal()) {
    throw Error(ErrorCode::kUsage, "media bytes would spoil the terminal",
                "redirect them: coppice media cat VALUE > FILE");
  }
  const int fd = session.console().out().fd();
  try {
    session.engine().media_cat(session.arguments().argument("VALUE"), fd);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kIo || !reader_has_gone(fd)) throw;
  }
  return 0;
}

int run_media_export(Session& session) {
  const Invocation& arguments = session.arguments();
  PrintingSink sink = session.sink(RowFormat::kTable, false);
  session.engine().media_export(arguments.argument("VALUE"), arguments.argument("FOLDER"), sink);
  return 0;
}

int run_media_gc(Session& session) {
  const bool dry_run = session.arguments().has("--dry-run");
  if (!dry_run) {
    session.confirm("remove media and function code that nothing refers to",
                    [&](ResultSink& plan) { session.engine().media_gc(true, plan); });
  }
  PrintingSink sink = session.sink(RowFormat::kTable, false);
  session.engine().media_gc(dry_run, sink);
  return 0;
}

}  // namespace coppice::cli
