// Backups of other people's data, and what is restored of them.
#include <fmt/core.h>

#include <cstdlib>
#include <filesystem>

#include "base/error.h"
#include "base/text.h"
#include "cli/recovery_json.h"
#include "cli/repository_words.h"
#include "cli/verb_functions.h"
#include "config/secret.h"

namespace coppice::cli {
namespace {

// A reference to a secret stands for the whole address.
std::string database_address(Session& session, const std::string& text) {
  for (const char* const scheme : {"env:", "file:", "cmd:"}) {
    if (text.starts_with(scheme)) {
      return std::string(trim(Secrets(session.environment()).resolve(text)));
    }
  }
  return text;
}

// Of the user, as no home is asked for.
std::string cache_folder(const Environment& environment) {
  namespace fs = std::filesystem;
  for (const auto& [variable, below] : {std::pair{"XDG_CACHE_HOME", "coppice/repositories"},
                                        {"HOME", ".cache/coppice/repositories"}}) {
    const auto found = environment.find(variable);
    if (found == environment.end() || !found->second.starts_with('/')) continue;
    return (fs::path(found->second) / below).string();
  }
  return {};
}

}  // namespace

int run_backup_create_other(Session& session) {
  const Invocation& arguments = session.arguments();
  OtherBackupRequest request;
  request.repository = named_repository(session);
  if (const auto url = arguments.value("--pg-dump")) {
    request.database = database_address(session, *url);
  }
  request.files = arguments.all("--files");
  const std::vector<std::string> more = arguments.all("PATH");
  request.files.insert(request.files.end(), more.begin(), more.end());
  request.excluded = arguments.all("--exclude");
  request.tags = arguments.all("--tag");
  request.full = arguments.has("--full");
  request.cache = cache_folder(session.environment());
  PrintingSink sink = session.sink();
  const OtherBackupReport report = session.factory().recovery()->create_other(request, sink);
  for (const std::string& item : report.left_out) session.console().notice("left out: " + item);
  session.say(
      fmt::format("backup {}: a dump of {} bytes, {} files of {} bytes, {} of them read; {} bytes "
                  "written in {:.1f} s",
                  short_backup_id(report.id), report.dump_bytes, report.files, report.file_bytes,
                  report.files_read, report.bytes_written, report.seconds),
      report_json(report));
  if (report.damaged.empty()) return 0;
  throw Error(ErrorCode::kPartlyDone,
              fmt::format("{} files could not be read, or changed while they were: {}",
                          report.damaged.size(), join(report.damaged, "; ")),
              "all else is in the backup; --exclude leaves out what need not be there");
}

int run_restore_other(Session& session) {
  const Invocation& arguments = session.arguments();
  for (const char* const option : {"--table", "--as", "--media-only", "--database"}) {
    if (!arguments.has(option)) continue;
    throw Error(ErrorCode::kUsage,
                fmt::format("{} is of backups of homes; --to-files and --to-database are of other "
                            "data",
                            option),
                "leave out one of them");
  }
  OtherRestoreRequest request;
  request.repository = named_repository(session);
  request.backup = arguments.value("--backup");
  request.at = arguments.value("--at");
  request.folder = arguments.value("--to-files");
  request.dry_run = arguments.has("--dry-run");
  if (const auto url = arguments.value("--to-database")) {
    request.database = database_address(session, *url);
  }
  if (request.backup && request.at) {
    throw Error(ErrorCode::kUsage, "--backup and --at both say which backup",
                "leave out one of them");
  }
  PrintingSink sink = session.sink();
  const OtherRestoreReport report = session.factory().recovery()->restore_other(request, sink);
  session.say(
      fmt::format("{} backup {} of {}: {} files of {} bytes, a dump of {} bytes, {:.1f} "
                  "s{}",
                  request.dry_run ? "would restore" : "restored", short_backup_id(report.backup),
                  report.moment, report.files, report.file_bytes, report.dump_bytes, report.seconds,
                  request.dry_run ? ""
                  : report.equal  ? "; root is equal"
                                  : "; root DIFFERS"),
      report_json(report));
  if (request.dry_run) return 0;
  if (!report.equal) {
    throw Error(
        ErrorCode::kIntegrity,
        "what was restored differs from what was backed up: " + join(report.differences, ", "),
        "look at the repository: coppice backup verify --data --rows");
  }
  if (report.damaged.empty() || !request.folder) return 0;
  throw Error(ErrorCode::kPartlyDone,
              fmt::format("the backup lacks {} files, or has them as of no one moment: {}",
                          report.damaged.size(), join(report.damaged, "; ")),
              "all else is there; an earlier backup may have them");
}

}  // namespace coppice::cli
