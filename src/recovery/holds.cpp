#include "recovery/holds.h"

#include <fmt/core.h>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/wall_time.h"
#include "engine/open_home.h"
#include "recovery/pin.h"
#include "repo/ids.h"

namespace coppice::recovery {
namespace {

using nlohmann::json;
using repo::ObjectKind;

std::pair<repo::ObjectId, Hold> read_one(const repo::Repository& repository,
                                         const repo::ObjectId& object) {
  try {
    const json content =
        json::parse(repository.get_sealed(repo::kHoldFolder, ObjectKind::kHold, object));
    const auto text = [&](const char* key) { return content.at(key).get<std::string>(); };
    return {repo::ObjectId{repo::digest_from_hex(text("backup"))},
            Hold{object, text("note"), text("by"), text("host"), text("held_at")}};
  } catch (const json::exception&) {
    throw Error(ErrorCode::kIntegrity,
                repo::object_name(repo::kHoldFolder, object) + " is not what a hold looks like");
  }
}

}  // namespace

std::string Hold::text() const {
  return fmt::format("since {} by {} on {}{}{}", held_at, by, host, note.empty() ? "" : ": ", note);
}

Holds read_holds(const repo::Repository& repository) {
  std::vector<repo::ObjectId> objects;
  repository.store().list(std::string(repo::kHoldFolder) + "/", [&](const ObjectInfo& info) {
    if (const auto id = repo::listed_id(info.name)) objects.push_back(*id);
  });
  Holds holds;
  for (const repo::ObjectId& object : objects) {
    try {
      holds.insert(read_one(repository, object));
    } catch (const Error& error) {
      if (error.code() != ErrorCode::kNotFound) throw;  // else it was released since it was listed
    }
  }
  return holds;
}

std::string hold_backup(const HoldRequest& request, ResultSink& sink) {
  const OpenRepository open = open_repository(request.repository, sink);
  const std::vector<KnownBackup> backups = known_backups(*open.repository, sink);
  const std::string id = backup_named(backups, request.backup).id.hex();
  const json content = {{"backup", id},
                        {"note", request.note},
                        {"by", engine::current_author()},
                        {"host", host_name()},
                        {"held_at", utc_text(wall_time_us())}};
  open.repository->put_sealed(repo::kHoldFolder, ObjectKind::kHold, content.dump());
  return id;
}

std::string release_backup(const HoldRequest& request, ResultSink& sink) {
  const OpenRepository open = open_repository(request.repository, sink);
  const std::vector<KnownBackup> backups = known_backups(*open.repository, sink);
  const repo::ObjectId backup = backup_named(backups, request.backup).id;
  const Holds holds = read_holds(*open.repository);
  const auto [first, last] = holds.equal_range(backup);
  if (first == last) {
    throw Error(ErrorCode::kRefused,
                fmt::format("nobody holds the backup {}", short_backup_id(backup.hex())),
                "coppice backup list shows which are held");
  }
  for (auto hold = first; hold != last; ++hold) {
    open.store->remove(repo::object_name(repo::kHoldFolder, hold->second.object));
  }
  return backup.hex();
}

}  // namespace coppice::recovery
