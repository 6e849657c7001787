#include <fmt/core.h>

#include "base/error.h"
#include "base/text.h"
#include "cli/matching_sink.h"
#include "cli/verb_functions.h"
#include "config/settings.h"

namespace coppice::cli {

int run_history(Session& session) {
  PrintingSink sink = session.sink();
  session.engine().history(session.arguments().argument("TABLE"), sink);
  return 0;
}

int run_diff(Session& session) {
  const Invocation& arguments = session.arguments();
  PrintingSink sink = session.sink();
  session.engine().diff(arguments.argument("TABLE"), arguments.argument("A"),
                        arguments.argument("B"), arguments.has("--schema"), sink);
  return 0;
}

int run_revert(Session& session) {
  const Invocation& arguments = session.arguments();
  const std::string table = arguments.argument("TABLE");
  const std::string version = arguments.argument("--to");
  const bool dry_run = arguments.has("--dry-run");
  if (!dry_run) {
    session.confirm(fmt::format("revert {} to version {}", table, version),
                    [&](ResultSink& plan) { session.engine().revert(table, version, true, plan); });
  }
  PrintingSink sink = session.sink(RowFormat::kTable, false);
  session.engine().revert(table, version, dry_run, sink);
  return 0;
}

int run_snapshot_create(Session& session) {
  const Invocation& arguments = session.arguments();
  PrintingSink sink = session.sink(RowFormat::kTable, false);
  session.engine().snapshot_create(arguments.argument("TABLE"), arguments.argument("NAME"), sink);
  return 0;
}

int run_snapshot_drop(Session& session) {
  const Invocation& arguments = session.arguments();
  const std::string table = arguments.argument("TABLE");
  const std::string name = arguments.argument("NAME");
  const auto show = [&](ResultSink& sink) {
    MatchingSink snapshot(sink, "snapshot", name);
    session.engine().snapshot_list(table, snapshot);
    if (snapshot.count() > 0) return;
    throw Error(ErrorCode::kNotFound, fmt::format("{} has no snapshot {}", table, name),
                "see: coppice snapshot list " + shell_quoted(table));
  };
  if (arguments.has("--dry-run")) {
    PrintingSink sink = session.sink();
    show(sink);
    return 0;
  }
  session.confirm(fmt::format("drop the snapshot {} of {}", name, table), show);
  PrintingSink sink = session.sink(RowFormat::kTable, false);
  session.engine().snapshot_drop(table, name, sink);
  return 0;
}

int run_snapshot_list(Session& session) {
  PrintingSink sink = session.sink();
  session.engine().snapshot_list(session.arguments().value("TABLE"), sink);
  return 0;
}

int run_prune(Session& session) {
  const Invocation& arguments = session.arguments();
  const std::string table = arguments.argument("TABLE");
  const std::optional<std::string> keep = arguments.value("--keep");
  if (keep && !is_retention(*keep)) {
    throw Error(ErrorCode::kUsage,
                fmt::format("--keep \"{}\" is neither a count nor an age", *keep),
                "write a number of versions (--keep 10) or an age (--keep '30 days')");
  }
  const bool dry_run = arguments.has("--dry-run");
  if (!dry_run) {
    session.confirm(fmt::format("remove old versions of {} for good", table),
                    [&](ResultSink& plan) { session.engine().prune(table, keep, true, plan); });
  }
  PrintingSink sink = session.sink(RowFormat::kTable, false);
  session.engine().prune(table, keep, dry_run, sink);
  return 0;
}

}  // namespace coppice::cli
