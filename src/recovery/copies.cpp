#include "recovery/copies.h"

#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <map>

#include "base/clock.h"
#include "base/error.h"
#include "engine/quiet_sinks.h"
#include "recovery/open_repository.h"
#include "recovery/watch.h"
#include "repo/copy.h"
#include "repo/repair.h"

namespace coppice::recovery {
namespace {

using std::chrono::steady_clock;

double seconds_since(steady_clock::time_point begun) {
  return std::chrono::duration<double>(steady_clock::now() - begun).count();
}

// Damage of the first repository is told; the second is opened, or made.
struct Both {
  OpenRepository from, to;
};

Both open_both(const CopyRequest& request, ResultSink& sink) {
  refuse_same_place(request.repository, request.to);
  Both both{open_repository(request.repository, sink), {}};
  both.to = request.to_has_own_key ? open_or_make_repository(request.to, {}, sink)
                                   : open_or_make_copy(request.to, both.from, sink);
  const repo::Keys& keys = both.from.repository->keys();
  if (!keys.gives_same_ids_as(both.to.repository->keys())) return both;
  // What was written since keys were rotated there.
  if (repo::take_epochs(*both.to.store, both.to.repository->keys(), *both.from.store, keys,
                        SystemClock())) {
    both.to = open_repository(request.to, sink);
  }
  return both;
}

bool is_every(const std::vector<std::string>& ids) {
  return ids.empty() || std::find(ids.begin(), ids.end(), "all") != ids.end();
}

std::vector<KnownBackup> wanted(const std::vector<KnownBackup>& all,
                                const std::vector<std::string>& ids) {
  std::vector<KnownBackup> chosen;
  const bool every = is_every(ids);
  for (const KnownBackup& backup : all) {
    const bool named = std::any_of(ids.begin(), ids.end(), [&](const std::string& id) {
      return id != "all" && backup_named(all, id).id == backup.id;
    });
    if (every || named) chosen.push_back(backup);
  }
  return chosen;
}

class BackupCopier {
 public:
  BackupCopier(const CopyRequest& request, ResultSink& sink)
      : request_(request),
        sink_(sink),
        both_(open_both(request, sink)),
        copier_(*both_.from.repository, *both_.to.repository, options()) {}

  CopyReport run() {
    const auto begun = steady_clock::now();
    report_.shares_keys = copier_.shares_keys();
    const std::vector<KnownBackup> all = known_backups(*both_.from.repository, sink_);
    for (const std::string& id : request_.backups) {
      if (id != "all") backup_named(all, id);  // before anything is done
    }
    if (is_every(request_.backups)) note_unreadable(all);
    find_there();
    for (const KnownBackup& backup : wanted(all, request_.backups)) copy(backup);
    const repo::CopyCounts& counts = copier_.counts();
    report_.packs = counts.packs;
    report_.pack_bytes = counts.pack_bytes;
    report_.blobs = counts.blobs;
    report_.blob_bytes = counts.blob_bytes;
    report_.requests = both_.from.store->requests();
    report_.to_requests = both_.to.store->requests();
    report_.seconds = seconds_since(begun);
    return std::move(report_);
  }

 private:
  repo::CopyOptions options() {
    repo::CopyOptions options;
    options.progress = [this](std::uint64_t done, std::uint64_t all) {
      sink_.progress({"copying packs (bytes)", done, all});
    };
    return options;
  }

  // Those whose manifests are damaged.
  void note_unreadable(const std::vector<KnownBackup>& known) {
    for (const repo::ManifestInfo& info : both_.from.repository->listed_manifests()) {
      const bool is_known = std::any_of(known.begin(), known.end(), [&](const KnownBackup& backup) {
        return backup.id == info.id;
      });
      if (is_known) continue;
      report_.failed.push_back(
          {"the backup " + short_backup_id(info.id.hex()), "its manifest is damaged"});
    }
  }

  // By the id here: the id there.
  void find_there() {
    const repo::Repository& to = *both_.to.repository;
    for (const repo::ManifestInfo& info : to.listed_manifests()) {
      if (copier_.shares_keys()) {
        there_.emplace(info.id, info.id);
        continue;
      }
      try {
        const auto origin = repo::origin_of(to.read_manifest(info.id));
        if (origin && origin->repository == both_.from.repository->id()) {
          there_.emplace(origin->backup, info.id);
        }
      } catch (const Error& error) {
        if (error.code() != ErrorCode::kIntegrity && error.code() != ErrorCode::kNotFound) throw;
        sink_.notice(fmt::format("{}: {}", both_.to.store->place(), error.message()));
      }
    }
  }

  void copy(const KnownBackup& backup) {
    const auto there = there_.find(backup.id);
    try {
      if (there != there_.end()) {
        copier_.learn(backup.id, there->second);
        ++report_.there;
        confirm(backup, there->second);
        return;
      }
      const repo::ObjectId id = copier_.copy(backup.id);
      report_.copied.push_back(id.hex());
      confirm(backup, id);
    } catch (const Error& error) {
      if (error.code() != ErrorCode::kIntegrity && error.code() != ErrorCode::kNotFound) throw;
      report_.failed.push_back({"the backup " + short_backup_id(backup.id.hex()), error.message()});
    }
  }

  void confirm(const KnownBackup& backup, const repo::ObjectId& as) {
    if (backup.manifest.suspect.empty()) return;
    copy_confirmation(*both_.from.repository, backup.id, *both_.to.repository, as, sink_);
  }

  const CopyRequest& request_;
  ResultSink& sink_;
  Both both_;
  repo::Copier copier_;
  std::map<repo::ObjectId, repo::ObjectId> there_;
  CopyReport report_;
};

std::vector<VerifyReport::Finding> findings(const std::vector<repo::Damage>& damages) {
  std::vector<VerifyReport::Finding> all;
  for (const repo::Damage& damage : damages) all.push_back({damage.object, damage.what});
  return all;
}

}  // namespace

CopyReport copy_backups(const CopyRequest& request, ResultSink& sink) {
  return BackupCopier(request, sink).run();
}

BackupRepairReport repair_repository(const RepairRequest& request, ResultSink& sink) {
  const auto begun = steady_clock::now();
  if (request.from) refuse_same_place(request.repository, *request.from);
  engine::SilentSink silent;  // what is damaged is in the report
  const OpenRepository open = open_repository(request.repository, silent);
  std::optional<OpenRepository> from;
  if (request.from) from.emplace(open_repository(*request.from, sink));
  repo::RepairOptions options;
  options.progress = [&](std::uint64_t done, std::uint64_t all) {
    sink.progress({"reading packs (bytes)", done, all});
  };
  const repo::RepairReport repaired =
      repo::repair(*open.repository, from ? from->repository.get() : nullptr, options);
  BackupRepairReport report;
  report.found = findings(repaired.found);
  report.left = findings(repaired.left);
  for (const repo::Repaired& each : repaired.repaired) {
    report.repaired.emplace_back(each.object, each.how);
  }
  for (const repo::ObjectId& id : repaired.elsewhere) {
    report.elsewhere.push_back(short_backup_id(id.hex()));
  }
  report.blobs = repaired.blobs;
  report.bytes = repaired.bytes;
  report.seconds = seconds_since(begun);
  return report;
}

}  // namespace coppice::recovery
