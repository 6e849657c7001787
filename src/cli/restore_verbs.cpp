#include <fmt/core.h>

#include "base/error.h"
#include "base/text.h"
#include "cli/recovery_json.h"
#include "cli/repository_words.h"
#include "cli/verb_functions.h"

namespace coppice::cli {

int run_restore(Session& session) {
  RestoreRequest request;
  request.repository = named_repository(session);
  request.backup = session.arguments().value("--backup");
  request.at = session.arguments().value("--at");
  if (request.backup && request.at) {
    throw Error(ErrorCode::kUsage, "--backup and --at both say which backup",
                "leave out one of them");
  }
  ConfigRequest where;
  where.home = session.config().home();
  where.database_url = session.arguments().value("--database");
  where.environment = session.environment();
  PrintingSink sink = session.sink();
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
