#include <fmt/core.h>

#include <filesystem>

#include "base/error.h"
#include "base/files.h"
#include "base/text.h"
#include "cli/json_text.h"
#include "cli/recovery_json.h"
#include "cli/repository_words.h"
#include "cli/verb_functions.h"
#include "config/home.h"

namespace coppice::cli {
namespace {

std::string plural(std::uint64_t count, std::string_view noun) {
  return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

}  // namespace

int run_backup_copy(Session& session) {
  CopyRequest request;
  request.repository = named_repository(session);
  request.to = other_repository(session, "--to", request.repository);
  request.to_has_own_key = has_own_key(session, "--to");
  request.backups = session.arguments().all("--backup");
  PrintingSink sink = session.sink();
  const CopyReport report = session.factory().recovery()->copy(request, sink);
  session.say(fmt::format("{} copied to {}, {} there already; {} and {} of {} bytes in {:.1f} s{}",
                          plural(report.copied.size(), "backup"), request.to.url, report.there,
                          plural(report.packs, "pack"), plural(report.blobs, "blob"),
                          report.pack_bytes + report.blob_bytes, report.seconds,
                          report.shares_keys ? "" : "; it has other keys: backups have other ids"),
              report_json(report));
  if (report.failed.empty()) return 0;
  std::string failed;
  for (const VerifyReport::Finding& finding : report.failed) {
    failed += fmt::format("\n  {}: {}", finding.object, finding.what);
  }
  throw Error(
      ErrorCode::kIntegrity,
      fmt::format("{} could not be copied:{}", plural(report.failed.size(), "backup"), failed),
      "see: coppice backup verify --data; where another copy has it: coppice backup repair");
}

int run_backup_confirm(Session& session) {
  const Invocation& arguments = session.arguments();
  ConfirmRequest request;
  request.repository = named_repository(session);
  request.backup = arguments.argument("BACKUP");
  request.note = arguments.value("--note").value_or("");
  const Config& config = session.config();
  if (home_format(config.home())) {
    request.home =
        ConfigRequest{config.home(), arguments.value("--database"), session.environment()};
  }
  session.confirm(
      fmt::format("say that the backup {} is as it should be, so that backups may be "
                  "forgotten again",
                  request.backup));
  PrintingSink sink = session.sink();
  const std::string id = session.factory().recovery()->confirm(request, sink);
  session.say(fmt::format("the backup {} is confirmed", short_backup_id(id)),
              JsonObject().add("confirmed", id).text());
  return 0;
}

int run_backup_hold(Session& session) {
  const Invocation& arguments = session.arguments();
  const HoldRequest request{named_repository(session), arguments.argument("BACKUP"),
                            arguments.value("--note").value_or("")};
  PrintingSink sink = session.sink();
  const std::string id = session.factory().recovery()->hold(request, sink);
  session.say(fmt::format("the backup {} is held: no rule and nobody forgets it until it is "
                          "released",
                          short_backup_id(id)),
              JsonObject().add("held", id).text());
  return 0;
}

int run_backup_release(Session& session) {
  const HoldRequest request{named_repository(session), session.arguments().argument("BACKUP"), {}};
  session.confirm(
      fmt::format("release the backup {}, so that it may be forgotten", request.backup));
  PrintingSink sink = session.sink();
  const std::string id = session.factory().recovery()->release(request, sink);
  session.say(fmt::format("the backup {} is held no more", short_backup_id(id)),
              JsonObject().add("released", id).text());
  return 0;
}

int run_backup_bisect(Session& session) {
  const Invocation& arguments = session.arguments();
  BisectRequest request;
  request.repository = named_repository(session);
  const std::string said = arguments.value("--assert").value_or("");
  std::error_code error;
  request.assertions = std::filesystem::is_regular_file(said, error) ? read_file(said) : said;
  request.table = arguments.value("--table");
  request.good = arguments.value("--good");
  request.bad = arguments.value("--bad");
  request.scratch = arguments.value("--scratch");
  ConfigRequest config;
  config.environment = session.environment();
  PrintingSink sink = session.sink();
  const BisectReport report = session.factory().recovery()->bisect(config, request, sink);
  std::string text =
      fmt::format("it holds of backup {}, and not of {} of {}", short_backup_id(report.good),
                  short_backup_id(report.bad), report.moment);
  if (report.version) {
    text += fmt::format("\nthe first version of which it does not is {}:{} of {}, by {}: {}",
                        request.table.value_or(""), *report.version, report.published_at,
                        report.author, report.statement);
  }
  session.say(text, report_json(report));
  return 0;
}

int run_backup_repair(Session& session) {
  RepairRequest request;
  request.repository = named_repository(session);
  if (session.arguments().has("--from")) {
    request.from = other_repository(session, "--from", request.repository);
  }
  PrintingSink sink = session.sink();
  const BackupRepairReport report = session.factory().recovery()->repair(request, sink);
  for (const auto& [object, how] : report.repaired) {
    sink.notice(fmt::format("repaired {}: {}", object, how));
  }
  if (!report.elsewhere.empty()) {
    sink.notice(
        fmt::format("the other repository has {} that this one lacks, forgotten or lost: {}; "
                    "coppice backup copy brings them",
                    plural(report.elsewhere.size(), "backup"), join(report.elsewhere, ", ")));
  }
  session.say(fmt::format("{} found damaged, {} repaired, {} left; {} bytes in {:.1f} s",
                          report.found.size(), report.repaired.size(), report.left.size(),
                          report.bytes, report.seconds),
              report_json(report));
  if (report.left.empty()) return 0;
  std::string left;
  for (const VerifyReport::Finding& finding : report.left) {
    left += fmt::format("\n  {}: {}", finding.object, finding.what);
  }
  throw Error(ErrorCode::kIntegrity, fmt::format("what is damaged still:{}", left),
              request.from ? "give another copy with --from; what is there still writes a new "
                             "backup again: coppice backup create --full"
                           : "give a copy of the repository with --from");
}

}  // namespace coppice::cli
