#include <fmt/core.h>

#include "base/error.h"
#include "base/files.h"
#include "base/text.h"
#include "cli/json_text.h"
#include "cli/verb_functions.h"
#include "config/secret.h"

namespace coppice::cli {
namespace {

// The key that was given in the words of the command, else the one that the settings name.
void find_key(Session& session, RepositoryAddress& address) {
  const Invocation& arguments = session.arguments();
  using Key = RepositoryAddress::Key;
  Secrets secrets(session.environment());
  if (const auto file = arguments.value("--key-file")) {
    address.key = Key::kKeyFile;
    address.secret = read_file(*file);
    return;
  }
  std::string reference = session.config().text("backup.password");
  if (const auto file = arguments.value("--password-file")) {
    reference = "file:" + std::filesystem::absolute(*file).string();
  } else if (const auto command = arguments.value("--password-command")) {
    reference = "cmd:" + *command;
  } else if (address.no_encryption || !secrets.is_there(reference)) {
    return;
  }
  address.key = Key::kPassphrase;
  address.secret = secrets.resolve(reference);
  if (!address.secret.empty()) return;
  throw Error(ErrorCode::kUsage, "the passphrase of the repository is empty",
              "an empty passphrase protects nothing; --no-encryption says so aloud");
}

RepositoryAddress repository(Session& session) {
  const Invocation& arguments = session.arguments();
  RepositoryAddress address;
  address.url = arguments.value("--repo").value_or(session.config().text("backup.repository"));
  address.no_encryption = arguments.has("--no-encryption");
  const int keys = static_cast<int>(arguments.has("--key-file")) +
                   static_cast<int>(arguments.has("--password-file")) +
                   static_cast<int>(arguments.has("--password-command"));
  if (keys > 1) {
    throw Error(ErrorCode::kUsage, "several keys were given",
                "give one of --password-file, --password-command and --key-file");
  }
  find_key(session, address);
  return address;
}

std::string list_json(const std::vector<std::string>& texts) {
  std::string json;
  for (const std::string& text : texts) {
    json += json.empty() ? "" : ",";
    append_json_string(json, text);
  }
  return "[" + json + "]";
}

std::string seconds_json(double seconds) { return fmt::format("{:.3f}", seconds); }

std::string report_json(const BackupReport& report) {
  return JsonObject()
      .add("id", report.id)
      .add("root", report.root)
      .add("parent", report.parent)
      .add("rows_read", report.rows_read)
      .add("media_added", report.media_added)
      .add("bytes_written", report.bytes_written)
      .add("bytes_total", report.bytes_total)
      .add_json("damaged", list_json(report.damaged))
      .add_json("seconds", seconds_json(report.seconds))
      .text();
}

std::string report_json(const RestoreReport& report) {
  return JsonObject()
      .add("backup", report.backup)
      .add("moment", report.moment)
      .add("root_expected", report.root_expected)
      .add("root_restored", report.root_restored)
      .add("equal", report.equal)
      .add_json("differences", list_json(report.differences))
      .add("rows", report.rows)
      .add("media_objects", report.media_objects)
      .add("bytes", report.bytes)
      .add_json("seconds", seconds_json(report.seconds))
      .text();
}

}  // namespace

int run_backup_create(Session& session) {
  BackupRequest request;
  request.repository = repository(session);
  request.tags = session.arguments().all("--tag");
  request.full = session.arguments().has("--full");
  PrintingSink sink = session.sink();
  const BackupReport report = session.factory().recovery()->create(session.config(), request, sink);
  session.say(
      fmt::format("backup {}: root {}, {} bytes of {} written in {:.1f} s", report.id.substr(0, 12),
                  report.root, report.bytes_written, report.bytes_total, report.seconds),
      report_json(report));
  if (report.damaged.empty()) return 0;
  throw Error(ErrorCode::kPartlyDone,
              fmt::format("the backup lacks {} media objects that could not be read: {}",
                          report.damaged.size(), join(report.damaged, "; ")),
              "see: coppice doctor; all else is in the backup");
}

int run_backup_list(Session& session) {
  PrintingSink sink = session.sink();
  session.factory().recovery()->list(repository(session), sink);
  return 0;
}

int run_backup_show(Session& session) {
  PrintingSink sink = session.sink();
  session.factory().recovery()->show(repository(session), session.arguments().argument("BACKUP"),
                                     sink);
  return 0;
}

int run_restore(Session& session) {
  RestoreRequest request;
  request.repository = repository(session);
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
                          report.backup.substr(0, 12), report.moment, where.home->string(),
                          report.rows, report.media_objects, report.seconds, report.root_restored,
                          report.equal ? "is equal" : "DIFFERS"),
              report_json(report));
  if (report.equal) return 0;
  throw Error(
      ErrorCode::kIntegrity,
      "what was restored differs from what was backed up: " + join(report.differences, ", "),
      "the home stays closed; look at the repository: coppice backup verify --data");
}

}  // namespace coppice::cli
