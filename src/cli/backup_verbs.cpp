#include <fmt/core.h>

#include <charconv>

#include "base/error.h"
#include "base/text.h"
#include "cli/json_text.h"
#include "cli/recovery_json.h"
#include "cli/repository_words.h"
#include "cli/verb_functions.h"

namespace coppice::cli {
namespace {

template <typename Number>
bool read_number(std::string_view text, Number& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

double read_share(const std::string& text) {
  double percent = 0;
  const bool is_percent = text.ends_with('%');
  if (is_percent && read_number(std::string_view(text).substr(0, text.size() - 1), percent) &&
      percent > 0 && percent <= 100) {
    return percent / 100;
  }
  throw Error(ErrorCode::kUsage, fmt::format("\"{}\" is no share", text), "write it like: 10%");
}

// "3/7": the third of seven.
void read_part(const std::string& text, VerifyRequest& request) {
  const std::vector<std::string> words = split(text, '/');
  if (words.size() == 2 && read_number(words[0], request.part) &&
      read_number(words[1], request.part_count) && request.part >= 1 &&
      request.part <= request.part_count) {
    --request.part;
    return;
  }
  throw Error(ErrorCode::kUsage, fmt::format("\"{}\" is no part", text),
              "write it like: 3/7, the third of seven");
}

double read_hours(const std::string& text) {
  double hours = 0;
  if (read_number(text, hours) && hours >= 0) return hours;
  throw Error(ErrorCode::kUsage, fmt::format("\"{}\" is no number of hours", text));
}

std::uint32_t count_of(const Invocation& arguments, std::string_view option) {
  const auto text = arguments.value(option);
  if (!text) return 0;
  std::uint32_t count = 0;
  if (read_number(*text, count)) return count;
  throw Error(ErrorCode::kUsage, fmt::format("{} takes a number, not \"{}\"", option, *text));
}

std::pair<std::string, std::string> split_path(const std::string& text) {
  const std::size_t colon = text.find(':');
  if (colon == std::string::npos) return {text, {}};
  return {text.substr(0, colon), text.substr(colon + 1)};
}

}  // namespace

int run_backup_create(Session& session) {
  for (const char* const option : {"--pg-dump", "--files", "--exclude"}) {
    if (session.arguments().has(option)) return run_backup_create_other(session);
  }
  if (!session.arguments().all("PATH").empty()) {
    throw Error(ErrorCode::kUsage, "a home is backed up as a whole, and a path was named",
                "to back up folders, write: coppice backup create --files FOLDER");
  }
  BackupRequest request;
  request.repository = named_repository(session);
  request.tags = session.arguments().all("--tag");
  request.full = session.arguments().has("--full");
  PrintingSink sink = session.sink();
  const BackupReport report = session.factory().recovery()->create(session.config(), request, sink);
  session.say(fmt::format("backup {}: root {}, {} bytes of {} written in {:.1f} s",
                          short_backup_id(report.id), report.root, report.bytes_written,
                          report.bytes_total, report.seconds),
              report_json(report));
  if (!report.suspect.empty()) {
    session.console().warning(
        fmt::format("the backup is suspect: {}; nothing is forgotten or pruned until it is "
                    "confirmed: coppice backup confirm {}",
                    join(report.suspect, "; "), short_backup_id(report.id)));
  }
  if (report.damaged.empty()) return 0;
  throw Error(ErrorCode::kPartlyDone,
              fmt::format("the backup lacks {} media objects that could not be read: {}",
                          report.damaged.size(), join(report.damaged, "; ")),
              "see: coppice doctor; all else is in the backup");
}

int run_backup_list(Session& session) {
  PrintingSink sink = session.sink();
  session.factory().recovery()->list(named_repository(session), sink);
  return 0;
}

int run_backup_show(Session& session) {
  PrintingSink sink = session.sink();
  session.factory().recovery()->show(named_repository(session),
                                     session.arguments().argument("BACKUP"), sink);
  return 0;
}

int run_backup_verify(Session& session) {
  const Invocation& arguments = session.arguments();
  VerifyRequest request;
  request.repository = named_repository(session);
  request.data = arguments.has("--data") || arguments.has("--share") || arguments.has("--part");
  request.rows = arguments.has("--rows");
  request.backup = arguments.value("BACKUP");
  if (const auto share = arguments.value("--share")) request.share = read_share(*share);
  if (const auto part = arguments.value("--part")) read_part(*part, request);
  PrintingSink sink = session.sink();
  const VerifyReport report = session.factory().recovery()->verify(request, sink);
  session.say(fmt::format("{} backups, {} packs; {} blobs of {} bytes read, {} rows summed; {}",
                          report.backups, report.packs, report.blobs_read, report.bytes_read,
                          report.rows, report.findings.empty() ? "all is well" : "DAMAGED"),
              report_json(report));
  if (report.findings.empty()) return 0;
  std::string found;
  for (const VerifyReport::Finding& finding : report.findings) {
    found += fmt::format("\n  {}: {}", finding.object, finding.what);
  }
  throw Error(
      ErrorCode::kIntegrity,
      fmt::format("{} of {} backups are not whole:{}", report.affected.size(), report.backups,
                  found),
      "all else can be restored; a new backup writes again what is missing and still there");
}

int run_backup_forget(Session& session) {
  const Invocation& arguments = session.arguments();
  ForgetRequest request;
  request.repository = named_repository(session);
  request.backups = arguments.all("BACKUP");
  KeepRules& keep = request.keep;
  keep.last = count_of(arguments, "--keep-last");
  keep.hourly = count_of(arguments, "--keep-hourly");
  keep.daily = count_of(arguments, "--keep-daily");
  keep.weekly = count_of(arguments, "--keep-weekly");
  keep.monthly = count_of(arguments, "--keep-monthly");
  keep.yearly = count_of(arguments, "--keep-yearly");
  keep.within = arguments.value("--keep-within");
  keep.tags = arguments.all("--keep-tag");
  PrintingSink sink = session.sink();
  const std::unique_ptr<Recovery> recovery = session.factory().recovery();
  request.dry_run = true;
  if (!arguments.has("--dry-run")) {
    session.confirm("forget backups", [&](ResultSink& shown) { recovery->forget(request, shown); });
    request.dry_run = false;
  }
  recovery->forget(request, sink);
  return 0;
}

int run_backup_prune(Session& session) {
  const Invocation& arguments = session.arguments();
  CollectRequest request;
  request.repository = named_repository(session);
  request.dry_run = arguments.has("--dry-run");
  if (const auto hours = arguments.value("--wait")) request.wait_hours = read_hours(*hours);
  PrintingSink sink = session.sink();
  if (!request.dry_run) session.confirm("remove from the repository what no backup needs");
  const CollectReport report = session.factory().recovery()->prune(request, sink);
  session.say(fmt::format("{} packs; {} of {} bytes are to go after {} hours; {} of {} bytes were "
                          "removed",
                          report.packs, report.marked_packs, report.marked_bytes,
                          request.wait_hours, report.removed_packs, report.removed_bytes),
              JsonObject()
                  .add("packs", report.packs)
                  .add("marked_packs", report.marked_packs)
                  .add("marked_bytes", report.marked_bytes)
                  .add("removed_packs", report.removed_packs)
                  .add("removed_bytes", report.removed_bytes)
                  .text());
  return 0;
}

int run_backup_ls(Session& session) {
  PrintingSink sink = session.sink();
  const auto [backup, path] = split_path(session.arguments().argument("BACKUP[:PATH]"));
  session.factory().recovery()->ls(named_repository(session), backup, path, sink);
  return 0;
}

int run_backup_cat(Session& session) {
  PrintingSink sink = session.sink();
  const auto [backup, path] = split_path(session.arguments().argument("BACKUP:PATH"));
  if (path.empty()) {
    throw Error(ErrorCode::kUsage, "no path in the backup was named",
                "write BACKUP:PATH; see: coppice backup ls " + backup);
  }
  session.console().out().flush();
  session.factory().recovery()->cat(named_repository(session), backup, path,
                                    session.console().out().fd(), sink);
  return 0;
}

}  // namespace coppice::cli
