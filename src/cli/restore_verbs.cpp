#include <fmt/core.h>

#include "base/error.h"
#include "base/text.h"
#include "cli/recovery_json.h"
#include "cli/repository_words.h"
#include "cli/verb_functions.h"

namespace coppice::cli {

namespace {

// Repository, backup and time of any restore.
template <typename Request>
void read_source(Session& session, Request& request) {
  request.repository = named_repository(session);
  request.backup = session.arguments().value("--backup");
  request.at = session.arguments().value("--at");
  if (!request.backup || !request.at) return;
  throw Error(ErrorCode::kUsage, "--backup and --at both say which backup",
              "leave out one of them");
}

// What is of a rescue, and of nothing else.
bool is_rescue(const Invocation& arguments) {
  const bool into = arguments.has("--into");
  for (const char* option : {"--table", "--where"}) {
    if (into && !arguments.has(option)) {
      throw Error(ErrorCode::kUsage, fmt::format("--into needs {}", option),
                  "write: coppice restore --table films.film --where 'id = 3' --into films.film");
    }
  }
  for (const char* option : {"--where", "--columns"}) {
    if (!into && arguments.has(option)) {
      throw Error(ErrorCode::kUsage, fmt::format("{} says which rows go --into a table", option),
                  "write: coppice restore --table films.film --where 'id = 3' --into films.film");
    }
  }
  for (const char* option : {"--as", "--media-only", "--database"}) {
    if (into && arguments.has(option)) {
      throw Error(ErrorCode::kUsage,
                  fmt::format("--into and {} are two different restores", option),
                  "leave out one of them");
    }
  }
  return into;
}

void refuse_others(const Invocation& arguments) {
  const bool table = arguments.has("--table");
  if (table != arguments.has("--as")) {
    throw Error(ErrorCode::kUsage, "--table and --as belong together",
                "write: coppice restore --table films.film --as films.film_before");
  }
  if (table && arguments.has("--media-only")) {
    throw Error(ErrorCode::kUsage, "--table and --media-only are two different restores",
                "leave out one of them");
  }
  if ((table || arguments.has("--media-only")) && arguments.has("--database")) {
    throw Error(ErrorCode::kUsage, "--database makes a home, and this restores into one",
                "leave it out");
  }
}

int restore_table(Session& session) {
  TableRestoreRequest request;
  read_source(session, request);
  request.table = *session.arguments().value("--table");
  request.as = *session.arguments().value("--as");
  request.dry_run = session.arguments().has("--dry-run");
  PrintingSink sink = session.sink();
  const TableRestoreReport report =
      session.factory().recovery()->restore_table(session.config(), request, sink);
  session.say(
      fmt::format("{} {} at version {} of backup {} as {}: {} rows, {} of {} media objects ({} "
                  "bytes) were not there, {:.1f} s",
                  request.dry_run ? "would restore" : "restored", report.table, report.from_version,
                  short_backup_id(report.backup), report.as, report.rows, report.media_added,
                  report.media_objects, report.media_bytes, report.seconds),
      report_json(report));
  if (report.damaged.empty()) return 0;
  throw Error(ErrorCode::kPartlyDone,
              fmt::format("{} media objects of the table cannot be restored: {}",
                          report.damaged.size(), join(report.damaged, "; ")),
              "all else is there; coppice restore --media-only looks into the other backups");
}

std::string shown(const std::optional<std::string>& value) { return value.value_or("NULL"); }

int rescue(Session& session) {
  const Invocation& arguments = session.arguments();
  RescueRequest request;
  read_source(session, request);
  request.table = *arguments.value("--table");
  request.into = *arguments.value("--into");
  request.where = *arguments.value("--where");
  if (arguments.has("--columns")) request.columns = arguments.all("--columns");
  request.dry_run = arguments.has("--dry-run");
  PrintingSink sink = session.sink();
  const RescueReport report = session.factory().recovery()->rescue(session.config(), request, sink);
  std::string text;
  for (const RescueReport::Difference& one : report.differences) {
    text += one.column.empty() ? fmt::format("{}: the row is gone\n", one.row)
                               : fmt::format("{}: {} is {}, and was {}\n", one.row, one.column,
                                             shown(one.now), shown(one.then));
  }
  const std::uint64_t left = report.missing - report.inserted;
  text += fmt::format(
      "{} rows of {} at version {} of backup {} meet the condition: {} of {} {} {}, {} {}{}; {} "
      "media objects ({} bytes) were not there, {:.1f} s",
      report.matched, report.table, report.from_version, short_backup_id(report.backup),
      report.changed, report.into, request.dry_run ? "would be" : "were",
      request.columns.empty() ? "set back" : "set back in these columns", report.inserted,
      request.dry_run ? "would be inserted" : "were inserted",
      left == 0 ? "" : fmt::format("; {} are gone, and come back whole without --columns", left),
      report.media_added, report.media_bytes, report.seconds);
  if (report.version) {
    text += fmt::format("\nversion {} of {}; to undo it: coppice revert {} --to {}",
                        *report.version, report.into, report.into, *report.version - 1);
  }
  session.say(text, report_json(report));
  if (report.damaged.empty()) return 0;
  throw Error(ErrorCode::kPartlyDone,
              fmt::format("{} media objects of these rows are in neither: {}",
                          report.damaged.size(), join(report.damaged, "; ")),
              "a rescue of these rows would be refused");
}

int restore_media(Session& session) {
  MediaRestoreRequest request;
  read_source(session, request);
  request.dry_run = session.arguments().has("--dry-run");
  PrintingSink sink = session.sink();
  const MediaRestoreReport report =
      session.factory().recovery()->restore_media(session.config(), request, sink);
  session.say(
      fmt::format("{} media objects: {} missing, {} damaged; {} {} ({} bytes), {:.1f} s",
                  report.objects, report.missing, report.damaged, report.restored,
                  request.dry_run ? "would be restored" : "restored", report.bytes, report.seconds),
      report_json(report));
  if (report.lacking.empty()) return 0;
  throw Error(ErrorCode::kPartlyDone,
              fmt::format("no backup has {} of them: {}", report.lacking.size(),
                          join(report.lacking, ", ")));
}

std::string plan_text(const RestorePlan& plan, const std::string& home) {
  std::string text = fmt::format(
      "backup {} of {}: {} tables, {} row versions, {} media objects of {} bytes; {} blobs of {} "
      "bytes would be read, about {:.0f} s ({})\n",
      short_backup_id(plan.backup), plan.moment, plan.tables, plan.rows, plan.media_objects,
      plan.media_bytes, plan.blobs, plan.bytes_read, plan.seconds, plan.rates);
  if (plan.home.empty()) {
    text += fmt::format(
        "lost would be what was published in the {:.0f} s since: no living home "
        "is at hand to ask what",
        plan.loss_seconds);
  } else {
    text += fmt::format("lost would be {} versions of {}, of the {:.0f} s since{}{}",
                        plan.lost_versions, plan.home, plan.loss_seconds,
                        plan.lost.empty() ? "" : ": ", join(plan.lost, "; "));
  }
  if (!plan.refused.empty()) {
    text += fmt::format("\na restore into {} would be refused: {}", home, plan.refused);
  }
  return text;
}

}  // namespace

int run_restore(Session& session) {
  const Invocation& arguments = session.arguments();
  if (arguments.has("--to-files") || arguments.has("--to-database")) {
    return run_restore_other(session);
  }
  if (is_rescue(arguments)) return rescue(session);
  refuse_others(session.arguments());
  if (session.arguments().has("--table")) return restore_table(session);
  if (session.arguments().has("--media-only")) return restore_media(session);
  RestoreRequest request;
  read_source(session, request);
  ConfigRequest where;
  where.home = session.config().home();
  where.database_url = session.arguments().value("--database");
  where.environment = session.environment();
  PrintingSink sink = session.sink();
  if (session.arguments().has("--dry-run")) {
    const RestorePlan plan = session.factory().recovery()->plan_restore(where, request, sink);
    session.say(plan_text(plan, where.home->string()), report_json(plan));
    return 0;
  }
  const RestoreReport report = session.factory().recovery()->restore(where, request, sink);
  session.say(fmt::format("restored backup {} of {} into {}: {} row versions, {} media objects, "
                          "{:.1f} s; root {} {}",
                          short_backup_id(report.backup), report.moment, where.home->string(),
                          report.rows, report.media_objects, report.seconds, report.root_restored,
                          report.equal ? "is equal" : "DIFFERS"),
              report_json(report));
  if (report.equal && report.damaged.empty()) return 0;
  if (report.equal) {
    throw Error(ErrorCode::kPartlyDone,
                fmt::format("the backup lacks {} media objects that could not be read when it was "
                            "made: {}",
                            report.damaged.size(), join(report.damaged, "; ")),
                "all else is there, and the home is open; an earlier backup may have them");
  }
  throw Error(
      ErrorCode::kIntegrity,
      "what was restored differs from what was backed up: " + join(report.differences, ", "),
      "the home stays closed; look at the repository: coppice backup verify --data");
}

int run_backup_export(Session& session) {
  const Invocation& arguments = session.arguments();
  ExportRequest request;
  request.repository = named_repository(session);
  request.backup = arguments.value("BACKUP").value_or("latest");
  request.folder = arguments.value("--to").value_or("");
  request.history = arguments.has("--history");
  if (request.folder.empty()) {
    throw Error(ErrorCode::kUsage, "no folder to export to was named",
                "write: coppice backup export --to FOLDER");
  }
  PrintingSink sink = session.sink();
  const ExportReport report = session.factory().recovery()->export_backup(request, sink);
  for (const std::string& item : report.left_out) session.console().notice("left out: " + item);
  session.say(
      fmt::format("exported backup {} of {} to {}: {} tables, {} rows, {} media objects, "
                  "{} bytes, {:.1f} s",
                  short_backup_id(report.backup), report.moment, request.folder, report.tables,
                  report.rows, report.media_objects, report.bytes, report.seconds),
      report_json(report));
  if (report.damaged.empty()) return 0;
  throw Error(ErrorCode::kPartlyDone,
              fmt::format("media.tar lacks {} media objects: {}", report.damaged.size(),
                          join(report.damaged, "; ")),
              "all else is there; an earlier backup may have them");
}

}  // namespace coppice::cli
