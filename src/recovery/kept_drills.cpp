#include "recovery/kept_drills.h"

#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <tuple>

#include "base/error.h"
#include "engine/emit.h"
#include "recovery/drill_page.h"
#include "recovery/signed_text.h"

namespace coppice::recovery {
namespace {

using repo::ListedObject;
using repo::ObjectId;
using repo::ObjectKind;

constexpr std::size_t kLeastDigits = 4;

std::string read_report(const repo::Repository& repository, const ObjectId& id,
                        const std::vector<std::string>& keys) {
  const std::string file = repository.get_sealed(repo::kDrillFolder, ObjectKind::kDrill, id);
  try {
    return verified_report(file, keys);
  } catch (const Error& error) {
    throw Error(error.code(),
                fmt::format("{}: {}", repo::object_name(repo::kDrillFolder, id), error.message()));
  }
}

// The newest first.
std::vector<ObjectId> listed_drills(const repo::Repository& repository) {
  std::vector<ListedObject> drills = repo::list_repository(repository.store()).drills;
  std::sort(drills.begin(), drills.end(), [](const ListedObject& one, const ListedObject& other) {
    return std::tie(one.modified_us, one.id) > std::tie(other.modified_us, other.id);
  });
  std::vector<ObjectId> ids;
  for (const ListedObject& drill : drills) ids.push_back(drill.id);
  return ids;
}

bool began_before(const PastDrill& one, const PastDrill& other) {
  return std::tie(one.began_at, one.id) < std::tie(other.began_at, other.id);
}

std::optional<std::string> seconds_text(const std::optional<double>& seconds) {
  return seconds ? std::optional(fmt::format("{:.3f}", *seconds)) : std::nullopt;
}

}  // namespace

std::vector<PastDrill> kept_drills(const repo::Repository& repository, ResultSink& sink) {
  const std::vector<ObjectId> listed = listed_drills(repository);
  if (listed.empty()) return {};
  const std::vector<std::string> keys = repo::public_keys(repository);
  std::map<std::string, PastDrill> known;
  for (const ObjectId& id : listed) {
    if (known.contains(id.hex())) continue;
    try {
      const nlohmann::json report = parse_report(read_report(repository, id, keys));
      known[id.hex()] = summary_of(report, id.hex());
      for (PastDrill& past : past_of(report)) known.emplace(past.id, past);
    } catch (const Error& error) {
      if (error.code() != ErrorCode::kIntegrity && error.code() != ErrorCode::kNewerFormat) throw;
      sink.notice(fmt::format("the report of a drill cannot be read: {}", error.message()));
    }
  }
  std::vector<PastDrill> drills;
  for (const ObjectId& id : listed) {
    if (const auto found = known.find(id.hex()); found != known.end()) {
      drills.push_back(found->second);
    }
  }
  std::sort(drills.begin(), drills.end(), began_before);
  return drills;
}

void keep_drill(repo::Repository& repository, const DrillRecord& record, DrillReport& report) {
  const repo::SigningKey key = repo::signing_key(repository);
  report.public_key = key.public_hex();
  report.json = signed_json(report_of(record), key);
  report.html = signed_page(drill_page(report.json), key);
  report.id = repository.put_sealed(repo::kDrillFolder, ObjectKind::kDrill, report.json).hex();
}

KeptDrill kept_drill(repo::Repository& repository, const std::string& id, ResultSink& sink) {
  if (id != "latest" && id.size() < kLeastDigits) {
    throw Error(ErrorCode::kUsage, fmt::format("\"{}\" is too short for the id of a drill", id),
                fmt::format("write {} digits or more, as drill list shows them", kLeastDigits));
  }
  std::vector<std::string> ids;
  for (const PastDrill& drill : kept_drills(repository, sink)) ids.push_back(drill.id);
  if (id == "latest" && !ids.empty()) {
    ids.erase(ids.begin(), ids.end() - 1);
  } else {
    std::erase_if(ids, [&](const std::string& other) { return !other.starts_with(id); });
  }
  if (ids.empty()) {
    throw Error(ErrorCode::kNotFound, fmt::format("there is no drill {}", id),
                "coppice drill list shows those that the repository keeps");
  }
  if (ids.size() > 1) {
    throw Error(ErrorCode::kUsage, fmt::format("several drills begin with {}", id),
                "write more digits of its id");
  }
  const ObjectId object{repo::digest_from_hex(ids[0])};
  const std::string json = read_report(repository, object, repo::public_keys(repository));
  const repo::SigningKey key = repo::signing_key(repository);
  return {ids[0], json, signed_page(drill_page(json), key)};
}

void list_drills(const RepositoryAddress& address, ResultSink& sink) {
  const OpenRepository open = open_repository(address, sink);
  engine::RowsOut rows(sink, {{"id", "text"},
                              {"began_at", "timestamp with time zone"},
                              {"backup", "text"},
                              {"passed", "boolean"},
                              {"rto_seconds", "double precision"},
                              {"rpo_seconds", "double precision"},
                              {"rto_objective", "double precision"},
                              {"rpo_objective", "double precision"}});
  for (const PastDrill& drill : kept_drills(*open.repository, sink)) {
    rows.row({short_backup_id(drill.id), drill.began_at, short_backup_id(drill.backup),
              drill.passed ? "t" : "f", seconds_text(drill.rto_seconds),
              seconds_text(drill.rpo_seconds), seconds_text(drill.rto_objective),
              seconds_text(drill.rpo_objective)});
  }
  rows.end();
}

CheckedDrill check_drill(const DrillCheck& check, ResultSink& sink) {
  std::vector<std::string> keys;
  if (check.public_key) {
    if (!repo::is_public_key(*check.public_key)) {
      throw Error(ErrorCode::kUsage, fmt::format("\"{}\" is no public key", *check.public_key),
                  "it has 64 digits, as `coppice drill key` prints it");
    }
    keys = {*check.public_key};
  } else {
    COPPICE_ASSERT(check.repository.has_value());
    const OpenRepository open = open_repository(*check.repository, sink);
    keys = repo::public_keys(*open.repository);
    if (keys.empty()) {
      throw Error(ErrorCode::kIntegrity,
                  "the repository has no key: no drill of it was ever signed",
                  "name the repository that the report is of");
    }
  }
  const nlohmann::json report = parse_report(verified_report(check.file, keys));
  const PastDrill drill = summary_of(report, "");
  return {drill.began_at, drill.backup, report.at("repository").get<std::string>(), drill.passed,
          report.at("encrypted").get<bool>()};
}

}  // namespace coppice::recovery
