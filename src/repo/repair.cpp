#include "repo/repair.h"

#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <unordered_set>

#include "base/crash_point.h"
#include "base/error.h"
#include "repo/blob_writer.h"
#include "repo/commit.h"
#include "repo/index_repair.h"
#include "repo/pack_check.h"
#include "repo/reach.h"
#include "repo/translation.h"

namespace coppice::repo {
namespace {

std::string manifest_name(const ObjectId& id) { return object_name(kBackupFolder, id); }

class Repairer {
 public:
  Repairer(Repository& repository, Repository* from, const RepairOptions& options)
      : repository_(repository),
        from_(from),
        options_(options),
        shares_keys_(from != nullptr && repository.keys().gives_same_ids_as(from->keys())) {}

  RepairReport run() {
    read_other_manifests();
    CheckReport now = checked();
    report_.found = now.damages;
    // An index that is there again names packs that may be damaged, too.
    for (bool is_better = true; is_better;) {
      const std::size_t before = report_.repaired.size();
      for (const Damage& damage : now.damages) replace(damage.object);
      repair_indexes();
      is_better = report_.repaired.size() > before;
      if (is_better) now = checked();
    }
    if (!now.intact()) {
      write_again(now);
      now = checked();
    }
    report_.left = std::move(now.damages);
    for (Damage& damage : report_.left) {
      const auto why = why_not_.find(damage.object);
      if (why != why_not_.end()) damage.what += "; " + why->second;
    }
    for (const std::string& what : damaged_there_) {
      report_.left.push_back({from_->store().place(), what, {}});
    }
    return std::move(report_);
  }

 private:
  CheckReport checked() const {
    CheckOptions options;
    options.level = CheckOptions::Level::kData;
    options.parallel = options_.parallel;
    options.progress = options_.progress;
    return check(repository_, options);
  }

  void say(const std::string& object, std::string how) {
    report_.repaired.push_back({object, std::move(how)});
  }

  // The other's backups, and which of ours they are copies of.
  void read_other_manifests() {
    if (from_ == nullptr) return;
    std::set<ObjectId> ours;
    std::set<ObjectId> copied;
    for (const ManifestInfo& info : repository_.list_manifests()) {
      ours.insert(info.id);
      if (shares_keys_) continue;
      try {
        const auto origin = origin_of(repository_.read_manifest(info.id));
        if (origin && origin->repository == from_->id()) copied.insert(origin->backup);
      } catch (const Error& error) {
        if (!is_damage(error)) throw;
      }
    }
    for (const ManifestInfo& info : from_->list_manifests()) {
      bool is_ours = ours.contains(info.id) || copied.contains(info.id);
      if (!shares_keys_) is_ours = read_other(info.id, ours) || is_ours;
      if (!is_ours) report_.elsewhere.push_back(info.id);
    }
  }

  // True when it is a copy of a backup that is here.
  bool read_other(const ObjectId& id, const std::set<ObjectId>& ours) {
    try {
      std::string text = from_->read_manifest(id);
      const auto origin = origin_of(text);
      const bool is_copy = origin && origin->repository == repository_.id();
      if (is_copy) copies_[origin->backup] = id;
      others_[id] = std::move(text);
      return is_copy && ours.contains(origin->backup);
    } catch (const Error& error) {
      if (!is_damage(error)) throw;
      damaged_there_.insert(error.message());
      return false;
    }
  }

  // By the same object of the other repository, if it is good.
  void replace(const std::string& object) {
    if (!shares_keys_ || !listed_id(object)) return;
    std::string good;
    try {
      good = get_checked(from_->store(), object);
    } catch (const Error& error) {
      if (!is_damage(error)) throw;
      why_not_[object] = error.code() == ErrorCode::kNotFound
                             ? from_->store().place() + " does not have it"
                             : error.message();
      return;
    }
    if (is_good(object)) return;
    repository_.store().remove(object);
    reach_crash_point("repair.removed");
    repository_.store().put(object, good);
    ++report_.blobs;
    report_.bytes += good.size();
    say(object, "copied from " + from_->store().place());
  }

  // Looked at again: nothing that is good is removed.
  bool is_good(const std::string& object) const {
    try {
      get_checked(repository_.store(), object);
      return true;
    } catch (const Error& error) {
      if (!is_damage(error)) throw;
      return false;
    }
  }

  void repair_indexes() {
    const IndexRepair repair = repair_index(repository_);
    for (const Damage& damage : repair.unreadable) replace(damage.object);
    if (repair.added_packs + repair.dropped_packs + repair.removed_indexes == 0) return;
    say(std::string(kIndexFolder),
        fmt::format("{} packs are in an index again, {} that are not there in none; {} indexes "
                    "were replaced",
                    repair.added_packs, repair.dropped_packs, repair.removed_indexes));
  }

  // Blob by blob.
  void write_again(const CheckReport& now) {
    std::set<ObjectId> bad;
    for (const Damage& damage : now.damages) {
      if (damage.object.starts_with("packs/")) bad.insert(object_id(damage.object));
    }
    repository_.load_index(Repository::AsOf::kNow);
    WriterOptions options = begin_backup(repository_);
    options.marked.insert(bad.begin(), bad.end());
    BlobWriter writer(repository_, options);
    if (from_ != nullptr && !shares_keys_) translate(now, writer);
    reach_all(writer);
    keep_rest_of(bad, writer);
    writer.flush();
    report_.blobs += writer.counts().new_blobs;
    report_.bytes += writer.counts().new_bytes;
    reach_crash_point("repair.written_again");
    retire(bad, writer.counts().new_blobs);
  }

  // Of the other's backups what is lacking here, under our keys.
  void translate(const CheckReport& now, BlobWriter& writer) {
    Translation translation(*from_,
                            [&](const Error& error) { damaged_there_.insert(error.message()); });
    std::set<std::string> damaged;
    for (const Damage& damage : now.damages) damaged.insert(damage.object);
    for (const auto& [id, text] : others_) {
      if (std::find(report_.elsewhere.begin(), report_.elsewhere.end(), id) !=
          report_.elsewhere.end()) {
        continue;  // it was forgotten here
      }
      const auto translated =
          translation.manifest(manifest_name(id), text, writer, options_.parallel);
      const auto origin = origin_of(text);
      if (!translated || !origin || copies_[origin->backup] != id) continue;
      if (damaged.contains(manifest_name(origin->backup))) {
        put_manifest_again(origin->backup, without_origin(*translated), writer);
      }
    }
    writer.flush();
  }

  void put_manifest_again(const ObjectId& damaged, const std::string& text, BlobWriter& writer) {
    const ObjectId id = commit(repository_, writer, text);
    repository_.store().remove(manifest_name(damaged));
    say(manifest_name(damaged),
        fmt::format("made anew from {}, as {}", from_->store().place(), manifest_name(id)));
  }

  // Everything that our manifests reach is put where it can be relied on.
  void reach_all(BlobWriter& writer) {
    std::vector<BlobId> left;
    for (const ManifestInfo& info : repository_.list_manifests()) {
      try {
        const auto roots = read_roots(manifest_name(info.id), repository_.read_manifest(info.id));
        left.insert(left.end(), roots.begin(), roots.end());
      } catch (const Error& error) {
        if (!is_damage(error)) throw;
        knows_all_ = false;
      }
    }
    std::unordered_set<BlobId> trees;
    while (!left.empty()) {
      const BlobId id = left.back();
      left.pop_back();
      if (!trees.insert(id).second) continue;
      const std::optional<std::string> text = find(id);
      if (!text) knows_all_ = false;
      if (!text) continue;
      if (!writer.relies_on(id)) writer.add_again(id, *text, true);
      const TreeLinks links = read_tree("the tree " + id.hex(), *text);
      for (const BlobId& blob : links.blobs) keep(blob, writer);
      left.insert(left.end(), links.trees.begin(), links.trees.end());
    }
  }

  void keep(const BlobId& id, BlobWriter& writer) {
    if (writer.relies_on(id) || !kept_.insert(id).second) return;
    const std::optional<std::string> bytes = find(id);
    if (bytes) writer.add_again(id, *bytes, false);
  }

  // In any of our packs, or in the other repository.
  std::optional<std::string> find(const BlobId& id) {
    try {
      return repository_.read(id);
    } catch (const Error& error) {
      if (!is_damage(error)) throw;
    }
    if (shares_keys_) {
      try {
        return from_->read(id);
      } catch (const Error& error) {
        if (!is_damage(error)) throw;
        damaged_there_.insert(error.message());
      }
    }
    lost_.insert(id);
    return std::nullopt;
  }

  // A backup that is being made may rely on what no manifest reaches yet.
  void keep_rest_of(const std::set<ObjectId>& packs, BlobWriter& writer) {
    std::vector<std::pair<BlobId, bool>> all;
    repository_.with_index([&](const Index& index) {
      for (const IndexPart& part : index.parts()) {
        for (const IndexEntry& entry : part.entries()) {
          if (!packs.contains(part.packs()[entry.pack].id)) continue;
          all.emplace_back(entry.id, (entry.flags & kBlobTree) != 0);
        }
      }
    });
    for (const auto& [id, tree] : all) {
      if (lost_.contains(id) || writer.relies_on(id) || !kept_.insert(id).second) continue;
      try {
        writer.add_again(id, repository_.read(id), tree);
      } catch (const Error& error) {
        if (!is_damage(error)) throw;
        // Nothing needs it, or what is lost itself.
        if (!knows_all_) lost_.insert(id);
      }
    }
  }

  // Packs of which all that is needed is elsewhere now.
  void retire(std::set<ObjectId> packs, std::uint64_t blob_count) {
    repository_.with_index([&](const Index& index) {
      for (const BlobId& id : lost_) {
        index.visit(id, [&](const BlobPlace& place) {
          packs.erase(place.pack->id);
          return true;
        });
      }
    });
    if (packs.empty()) return;
    drop_from_indexes(repository_, packs);
    for (const ObjectId& id : packs) {
      if (is_good(pack_name(id))) continue;
      repository_.store().remove(pack_name(id));
      say(pack_name(id), fmt::format("what is needed of it is in other packs; {} blobs were "
                                     "written again",
                                     blob_count));
    }
  }

  Repository& repository_;
  Repository* const from_;
  const RepairOptions& options_;
  const bool shares_keys_;
  RepairReport report_;
  std::map<ObjectId, std::string> others_;  // manifests of the other repository, with other keys
  std::map<ObjectId, ObjectId> copies_;     // of ours: its copy there
  std::map<std::string, std::string> why_not_;  // an object was not replaced
  std::set<std::string> damaged_there_;
  std::unordered_set<BlobId> kept_;
  std::set<BlobId> lost_;
  bool knows_all_ = true;  // that is reached: no manifest or tree is lost
};

}  // namespace

RepairReport repair(Repository& repository, Repository* from, const RepairOptions& options) {
  return Repairer(repository, from, options).run();
}

}  // namespace coppice::repo
