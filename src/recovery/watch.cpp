#include "recovery/watch.h"

#include <fmt/core.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/files.h"
#include "base/text.h"
#include "base/wall_time.h"
#include "engine/open_home.h"
#include "recovery/home_log.h"
#include "recovery/pin.h"
#include "repo/ids.h"

namespace coppice::recovery {
namespace {

using nlohmann::json;
using repo::ObjectKind;

std::string name_of(const KnownBackup& backup) {
  return "the backup " + short_backup_id(backup.id.hex());
}

void put(repo::Repository& repository, const repo::ObjectId& backup, const Confirmation& said) {
  const json content = {{"backup", backup.hex()},
                        {"note", said.note},
                        {"by", said.by},
                        {"host", said.host},
                        {"confirmed_at", said.confirmed_at}};
  repository.put_sealed(repo::kConfirmationFolder, ObjectKind::kConfirmation, content.dump());
}

void read_one(const repo::Repository& repository, const repo::ObjectId& object,
              Confirmations& confirmations) {
  const std::string name = repo::object_name(repo::kConfirmationFolder, object);
  try {
    const json content = json::parse(
        repository.get_sealed(repo::kConfirmationFolder, ObjectKind::kConfirmation, object));
    const repo::ObjectId backup{repo::digest_from_hex(content.at("backup").get<std::string>())};
    confirmations.emplace(backup, Confirmation{object, content.at("note").get<std::string>(),
                                               content.at("by").get<std::string>(),
                                               content.at("host").get<std::string>(),
                                               content.at("confirmed_at").get<std::string>()});
  } catch (const json::exception&) {
    throw Error(ErrorCode::kIntegrity, name + " is not what a confirmation looks like");
  }
}

// The living home, if there is one and the backup is one of its own.
void tell_home(const ConfirmRequest& request, const std::string& id, const Confirmation& said,
               ResultSink& sink) {
  if (!request.home) return;
  try {
    note_confirmation(Config::load(*request.home), id, said.by, said.note);
  } catch (const Error& error) {
    sink.notice(
        fmt::format("it is confirmed, but the home could not note it: {}", error.message()));
  }
}

}  // namespace

Confirmations read_confirmations(const repo::Repository& repository, ResultSink& sink) {
  Confirmations confirmations;
  std::vector<repo::ObjectId> objects;
  repository.store().list(std::string(repo::kConfirmationFolder) + "/",
                          [&](const ObjectInfo& info) {
                            if (const auto id = repo::listed_id(info.name)) objects.push_back(*id);
                          });
  for (const repo::ObjectId& object : objects) {
    try {
      read_one(repository, object, confirmations);
    } catch (const Error& error) {
      if (error.code() == ErrorCode::kNotFound) continue;  // removed since it was listed
      if (error.code() != ErrorCode::kIntegrity) throw;
      sink.notice(fmt::format("{}; it does not count", error.message()));
    }
  }
  return confirmations;
}

const KnownBackup* latest_of(const std::vector<KnownBackup>& backups, const std::string& home_id,
                             const KnownBackup* parent) {
  for (auto backup = backups.rbegin(); backup != backups.rend(); ++backup) {
    if (backup->manifest.home_id == home_id) return &*backup;
  }
  return parent;
}

std::vector<Measures> past_measures(const std::vector<KnownBackup>& backups,
                                    const KnownBackup* base, const Confirmations& confirmations) {
  std::vector<Measures> past;
  if (base == nullptr) return past;
  for (const KnownBackup& backup : backups) {
    if (backup.manifest.home_id != base->manifest.home_id || !backup.manifest.measures) continue;
    if (watch_word(backup, confirmations) != "suspect") past.push_back(*backup.manifest.measures);
  }
  return past;
}

std::string watch_word(const KnownBackup& backup, const Confirmations& confirmations) {
  if (backup.manifest.suspect.empty()) return "";
  return confirmations.contains(backup.id) ? "confirmed" : "suspect";
}

void refuse_suspects(const std::vector<KnownBackup>& backups, const Confirmations& confirmations,
                     std::string_view what) {
  for (const KnownBackup& backup : backups) {
    if (watch_word(backup, confirmations) != "suspect") continue;
    throw Error(
        ErrorCode::kRefused,
        fmt::format("{} of {} is suspect, and nothing is {} until somebody has looked: {}",
                    name_of(backup), backup.manifest.moment, what,
                    join(backup.manifest.suspect, "; ")),
        fmt::format("if it is as it should be: coppice backup confirm {}; if not, an earlier one "
                    "has what is lost: coppice backup list",
                    short_backup_id(backup.id.hex())));
  }
}

std::string confirm_backup(const ConfirmRequest& request, ResultSink& sink) {
  const OpenRepository open = open_repository(request.repository, sink);
  const std::vector<KnownBackup> backups = known_backups(*open.repository, sink);
  const KnownBackup& backup = backup_named(backups, request.backup);
  const Confirmations confirmations = read_confirmations(*open.repository, sink);
  const std::string word = watch_word(backup, confirmations);
  if (word.empty()) {
    throw Error(ErrorCode::kUsage, fmt::format("{} is not suspect", name_of(backup)),
                "coppice backup list shows which are");
  }
  const Confirmation said{
      {}, request.note, engine::current_author(), host_name(), utc_text(wall_time_us())};
  if (word == "suspect") put(*open.repository, backup.id, said);
  tell_home(request, backup.id.hex(), said, sink);
  return backup.id.hex();
}

void copy_confirmation(const repo::Repository& from, const repo::ObjectId& backup,
                       repo::Repository& to, const repo::ObjectId& as, ResultSink& sink) {
  const Confirmations here = read_confirmations(from, sink);
  const auto said = here.find(backup);
  if (said == here.end() || read_confirmations(to, sink).contains(as)) return;
  put(to, as, said->second);
}

}  // namespace coppice::recovery
