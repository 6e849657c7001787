#include "repo/collector.h"

#include <algorithm>
#include <functional>
#include <iterator>
#include <map>
#include <utility>

#include "base/error.h"
#include "repo/blob_writer.h"
#include "repo/index_repair.h"
#include "repo/marks.h"
#include "repo/reach.h"

namespace coppice::repo {
namespace {

// The indexes as they are; what they say must be known as a whole.
void load_whole_index(Repository& repository) {
  const std::vector<Damage> damages = repository.load_index(Repository::AsOf::kNow);
  if (damages.empty()) return;
  throw Error(ErrorCode::kIntegrity,
              damages[0].what + "; what can be removed is not known while an index is damaged",
              "repair it from a copy, or remove the object: the packs that only it names are lost");
}

// The packs that are there, as they were listed.
using Packs = std::map<ObjectId, ObjectInfo>;

// Which entries of which part of the index are reached. Of a blob that is in several packs, one is:
// if there is any, one that stays, and that is not what a store has lost or cut short.
class Reached {
 public:
  Reached(const Index& index, const Packs& packs, std::set<ObjectId> marked)
      : index_(index), marked_(std::move(marked)) {
    for (const IndexPart& part : index.parts()) {
      bits_.emplace_back(part.entry_count(), false);
      for (const IndexedPack& pack : part.packs()) {
        const auto there = packs.find(pack.id);
        const bool whole = there != packs.end() && there->second.size_bytes == pack.size_bytes;
        if (!whole) doubtful_.insert(pack.id);
      }
    }
  }

  void add(const BlobId& id) {
    auto place = index_.find(id, [&](const ObjectId& pack) {
      return !marked_.contains(pack) && !doubtful_.contains(pack);
    });
    if (!place) {
      place = index_.find(id, [&](const ObjectId& pack) { return !doubtful_.contains(pack); });
    }
    if (!place) place = index_.find(id);
    if (!place) {
      throw Error(ErrorCode::kIntegrity,
                  "the blob " + id.hex() + " is reached and in no index: nothing is removed");
    }
    bits_[place->part][place->entry_index] = true;
  }
  // Each entry of the index as it was at first.
  void for_each(
      const std::function<void(const IndexedPack&, const IndexEntry&, bool reached)>& visit) const {
    for (std::size_t number = 0; number < bits_.size(); ++number) {
      const IndexPart& part = index_.parts()[number];
      for (std::size_t i = 0; i < part.entry_count(); ++i) {
        visit(part.packs()[part.entries()[i].pack], part.entries()[i], bits_[number][i]);
      }
    }
  }
  const std::set<ObjectId>& marked() const { return marked_; }
  // That are in an index and not there, or were not when packs were listed.
  const std::set<ObjectId>& doubtful() const { return doubtful_; }

 private:
  const Index& index_;
  const std::set<ObjectId> marked_;
  std::set<ObjectId> doubtful_;
  std::vector<std::vector<bool>> bits_;
};

// Whether there are other indexes than those that are loaded.
bool has_new_index(const Repository& repository) {
  std::set<ObjectId> loaded;
  for (const IndexPart& part : repository.index().parts()) loaded.insert(part.object);
  const std::vector<ListedObject> listed = list_repository(repository.store()).indexes;
  return std::any_of(listed.begin(), listed.end(),
                     [&](const ListedObject& object) { return !loaded.contains(object.id); });
}

// What every manifest reaches. A backup that ends meanwhile is in indexes that were not listed yet:
// then all is read again.
Reached find_reached(Repository& repository, const Packs& packs, std::vector<Mark>& marks) {
  for (;;) {
    load_whole_index(repository);
    marks = read_marks(repository);
    Reached reached(repository.index(), packs, marked_packs(marks));
    try {
      walk_all(repository, [&](const BlobId& id) { reached.add(id); });
      return reached;
    } catch (const Error& error) {
      const bool lacks_something =
          error.code() == ErrorCode::kIntegrity || error.code() == ErrorCode::kNotFound;
      if (!lacks_something || !has_new_index(repository)) throw;
    }
  }
}

struct Use {
  std::uint64_t live_bytes = 0;  // of frames
  std::uint64_t all_bytes = 0;
};

// Of packs that have any entry.
std::map<ObjectId, Use> use_of_packs(const Reached& reached) {
  std::map<ObjectId, Use> uses;
  reached.for_each([&](const IndexedPack& pack, const IndexEntry& entry, bool live) {
    Use& use = uses[pack.id];
    use.all_bytes += entry.frame_length;
    if (live) use.live_bytes += entry.frame_length;
  });
  return uses;
}

bool old_enough(std::int64_t modified_us, std::int64_t now_us, const CollectOptions& options) {
  return now_us - modified_us >= std::chrono::microseconds(options.wait).count();
}

// What is reached in the packs is written to new ones. Gives the bytes of it.
std::uint64_t rewrite(Repository& repository, const std::set<ObjectId>& packs,
                      const Reached& reached) {
  WriterOptions options;
  for (const auto* const going : {&packs, &reached.marked(), &reached.doubtful()}) {
    options.marked.insert(going->begin(), going->end());
  }
  BlobWriter writer(repository, options);
  reached.for_each([&](const IndexedPack& pack, const IndexEntry& entry, bool live) {
    if (!live || !packs.contains(pack.id) || writer.relies_on(entry.id)) return;
    writer.add_again(entry.id, repository.read(entry.id));
  });
  writer.flush();
  return writer.counts().new_bytes;
}

// Those that hold what is reached and in no pack without a mark.
std::set<ObjectId> needed_packs(const std::set<ObjectId>& marked,
                                const std::map<ObjectId, Use>& uses) {
  std::set<ObjectId> needed;
  for (const ObjectId& id : marked) {
    const auto use = uses.find(id);
    if (use != uses.end() && use->second.live_bytes > 0) needed.insert(id);
  }
  return needed;
}

// Those of clients that died before they had removed them; whoever did not has had a day.
void sweep_probes(ObjectStore& store, std::int64_t now_us) {
  std::vector<std::string> old;
  store.list(std::string(kProbeFolder) + "/", [&](const ObjectInfo& info) {
    if (old_enough(info.modified_us, now_us, {})) old.push_back(info.name);
  });
  for (const std::string& name : old) store.remove(name);
}

}  // namespace

CollectCounts mark_garbage(Repository& repository, const CollectOptions& options) {
  CollectCounts counts;
  const Packs packs = list_packs(repository.store());
  const std::int64_t now_us = store_time_us(repository.store());
  std::vector<Mark> marks;
  const Reached reached = find_reached(repository, packs, marks);
  const std::map<ObjectId, Use> uses = use_of_packs(reached);

  std::set<ObjectId> going, rewritten;
  for (const auto& [id, info] : packs) {
    ++counts.packs;
    if (reached.marked().contains(id) || !old_enough(info.modified_us, now_us, options)) continue;
    const auto use = uses.find(id);
    if (use != uses.end() && use->second.live_bytes > 0) {
      const auto all = static_cast<double>(use->second.all_bytes);
      const auto live = static_cast<double>(use->second.live_bytes);
      if (all - live <= options.dead_share * all) continue;
      rewritten.insert(id);
      counts.rewritten_bytes += use->second.live_bytes;
    }
    going.insert(id);
    ++counts.marked_packs;
    counts.marked_bytes += info.size_bytes;
  }
  if (going.empty() || options.dry_run) return counts;
  counts.rewritten_bytes = rewrite(repository, rewritten, reached);
  write_mark(repository, going);
  return counts;
}

CollectCounts sweep_garbage(Repository& repository, const CollectOptions& options) {
  CollectCounts counts;
  const Packs packs = list_packs(repository.store());
  counts.packs = packs.size();
  const std::int64_t now_us = store_time_us(repository.store());
  const auto is_early = [&](const Mark& mark) {
    return !old_enough(mark.modified_us, now_us, options);
  };
  if (!options.dry_run) sweep_probes(repository.store(), now_us);
  std::vector<Mark> due = read_marks(repository);
  std::erase_if(due, is_early);
  if (due.empty()) return counts;
  const Reached reached = find_reached(repository, packs, due);
  std::erase_if(due, is_early);
  const std::map<ObjectId, Use> uses = use_of_packs(reached);

  std::set<ObjectId> needed;
  for (const Mark& mark : due) needed.merge(needed_packs(mark.packs, uses));
  counts.kept_packs = needed.size();
  if (options.dry_run) return counts;
  if (!needed.empty()) {
    // What was marked once is never relied on again: another sweep may be about to remove it.
    rewrite(repository, needed, reached);
    write_mark(repository, needed);
  }
  for (const Mark& mark : due) {
    std::set<ObjectId> going;
    std::set_difference(mark.packs.begin(), mark.packs.end(), needed.begin(), needed.end(),
                        std::inserter(going, going.end()));
    drop_from_indexes(repository, going);
    for (const ObjectId& id : going) {
      const auto info = packs.find(id);
      if (info == packs.end() || !repository.store().remove(info->second.name)) continue;
      ++counts.removed_packs;
      counts.removed_bytes += info->second.size_bytes;
    }
    repository.store().remove(object_name(kMarkFolder, mark.id));
  }
  return counts;
}

}  // namespace coppice::repo
