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

// Which entries of which part of the index are reached. Of a blob that is in several packs, one is.
class Reached {
 public:
  Reached(const Index& index, const std::set<ObjectId>& marked) : index_(index), marked_(marked) {
    for (const IndexPart& part : index.parts()) bits_.emplace_back(part.entry_count(), false);
  }

  void add(const BlobId& id) {
    auto place = index_.find(id, [&](const ObjectId& pack) { return !marked_.contains(pack); });
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

 private:
  const Index& index_;
  const std::set<ObjectId>& marked_;
  std::vector<std::vector<bool>> bits_;
};

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
                      const std::set<ObjectId>& marked, const Reached& reached) {
  WriterOptions options;
  options.marked = marked;
  options.marked.insert(packs.begin(), packs.end());
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

}  // namespace

CollectCounts mark_garbage(Repository& repository, const CollectOptions& options) {
  CollectCounts counts;
  const std::map<ObjectId, ObjectInfo> packs = list_packs(repository.store());
  const std::int64_t now_us = store_time_us(repository.store());
  load_whole_index(repository);
  const std::set<ObjectId> marked = marked_packs(read_marks(repository));
  Reached reached(repository.index(), marked);
  walk_all(repository, [&](const BlobId& id) { reached.add(id); });
  const std::map<ObjectId, Use> uses = use_of_packs(reached);

  std::set<ObjectId> going, rewritten;
  for (const auto& [id, info] : packs) {
    ++counts.packs;
    if (marked.contains(id) || !old_enough(info.modified_us, now_us, options)) continue;
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
  counts.rewritten_bytes = rewrite(repository, rewritten, marked, reached);
  write_mark(repository, going);
  return counts;
}

CollectCounts sweep_garbage(Repository& repository, const CollectOptions& options) {
  CollectCounts counts;
  const std::map<ObjectId, ObjectInfo> packs = list_packs(repository.store());
  counts.packs = packs.size();
  const std::int64_t now_us = store_time_us(repository.store());
  std::vector<Mark> due = read_marks(repository);
  std::erase_if(due,
                [&](const Mark& mark) { return !old_enough(mark.modified_us, now_us, options); });
  if (due.empty()) return counts;
  load_whole_index(repository);
  const std::set<ObjectId> marked = marked_packs(read_marks(repository));
  Reached reached(repository.index(), marked);
  walk_all(repository, [&](const BlobId& id) { reached.add(id); });
  const std::map<ObjectId, Use> uses = use_of_packs(reached);

  for (const Mark& mark : due) {
    const std::set<ObjectId> needed = needed_packs(mark.packs, uses);
    counts.kept_packs += needed.size();
    if (options.dry_run) continue;
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
