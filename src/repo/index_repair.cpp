#include "repo/index_repair.h"

#include <algorithm>
#include <mutex>
#include <utility>

#include "base/error.h"
#include "repo/marks.h"
#include "repo/parallel.h"

namespace coppice::repo {
namespace {

// Adds the packs to the part, or to an index of their own when it is full.
void add_packs(Repository& repository, const std::vector<ObjectInfo>& packs, bool dry_run,
               IndexRepair& repair) {
  std::mutex mutex;
  IndexPart part;
  const auto take = [&](const IndexedPack& pack, const std::vector<PackEntry>& entries) {
    const std::lock_guard lock(mutex);
    ++repair.added_packs;
    part.add(pack, entries);
    if (!dry_run && part.entry_count() >= kMostIndexEntries / 2) {
      repository.add_index(std::exchange(part, {}));
    }
  };
  for_each_parallel(
      packs.size(), {}, [](std::size_t) { return 0; },
      [&](std::size_t i) {
        try {
          const auto [pack, entries] = read_pack_directory(
              repository.store(), repository.keys(), object_id(packs[i].name), packs[i].size_bytes);
          take(pack, entries);
        } catch (const Error& error) {
          if (error.code() == ErrorCode::kNotFound) return;  // removed since it was listed
          if (error.code() != ErrorCode::kIntegrity) throw;
          const std::lock_guard lock(mutex);
          repair.unreadable.push_back({packs[i].name, error.message(), {}});
        }
      });
  if (!dry_run) repository.add_index(std::move(part));
}

struct Replaced {
  std::vector<std::string> old, written;  // names of indexes
};

// Of indexes that name packs that go, the other packs get an index of their own. The old ones are
// not removed yet.
Replaced replace_indexes(Repository& repository, const std::set<ObjectId>& going) {
  Replaced replaced;
  IndexPart staying;
  const std::size_t part_count = repository.index().parts().size();
  for (std::size_t i = 0; i < part_count; ++i) {
    const IndexPart& part = repository.index().parts()[i];
    const bool names_any =
        std::any_of(part.packs().begin(), part.packs().end(),
                    [&](const IndexedPack& pack) { return going.contains(pack.id); });
    if (!names_any) continue;
    replaced.old.push_back(object_name(kIndexFolder, part.object));
    for (std::size_t number = 0; number < part.packs().size(); ++number) {
      if (!going.contains(part.packs()[number].id)) staying.add(part, number);
      if (staying.entry_count() >= kMostIndexEntries / 2) {
        repository.add_index(std::exchange(staying, {}));
      }
    }
  }
  repository.add_index(std::move(staying));
  for (std::size_t i = part_count; i < repository.index().parts().size(); ++i) {
    const ObjectId& object = repository.index().parts()[i].object;
    replaced.written.push_back(object_name(kIndexFolder, object));
  }
  return replaced;
}

}  // namespace

std::pair<IndexedPack, std::vector<PackEntry>> read_pack_directory(ObjectStore& store,
                                                                   const Keys& keys,
                                                                   const ObjectId& pack,
                                                                   std::uint64_t size_bytes) {
  const std::string name = pack_name(pack);
  try {
    if (size_bytes < kHeaderBytes + kPackEndBytes) {
      throw Error(ErrorCode::kIntegrity, "it is shorter than any pack");
    }
    const SealedHeader header =
        parse_header(store.get_part(name, 0, kHeaderBytes), ObjectKind::kPack);
    const std::string last = store.get_part(name, size_bytes - kPackEndBytes, kPackEndBytes);
    const std::uint64_t length = directory_bytes(keys, last, size_bytes);
    const std::string end = store.get_part(name, size_bytes - length, length);
    return {{pack, size_bytes, header.epoch, header.salt},
            read_directory(keys, header, end, size_bytes)};
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kIntegrity) throw;
    throw Error(ErrorCode::kIntegrity, name + ": " + error.message(), error.hint());
  }
}

void drop_from_indexes(Repository& repository, const std::set<ObjectId>& packs) {
  ObjectStore& store = repository.store();
  for (;;) {
    repository.load_index(Repository::AsOf::kNow);
    const Replaced replaced = replace_indexes(repository, packs);
    if (replaced.old.empty()) return;
    const bool all_there =
        std::all_of(replaced.old.begin(), replaced.old.end(),
                    [&](const std::string& name) { return store.stat(name).has_value(); });
    // Where one was replaced by somebody else, the new ones may name what he removes.
    for (const std::string& name : all_there ? replaced.old : replaced.written) store.remove(name);
  }
}

IndexRepair repair_index(Repository& repository, bool dry_run) {
  IndexRepair repair;
  // Packs before indexes: what is not in an index that was read later was not being written.
  const std::map<ObjectId, ObjectInfo> packs = list_packs(repository.store());
  const std::vector<Damage> damaged = repository.load_index(Repository::AsOf::kNow);
  const std::set<ObjectId> marked = marked_packs(read_marks(repository));

  std::set<ObjectId> named, missing;
  for (const IndexPart& part : repository.index().parts()) {
    for (const IndexedPack& pack : part.packs()) named.insert(pack.id);
  }
  for (const ObjectId& id : named) {
    // One that is not in the list may have been written since.
    if (!packs.contains(id) && !repository.store().stat(pack_name(id))) missing.insert(id);
  }
  std::vector<ObjectInfo> unnamed;
  for (const auto& [id, info] : packs) {
    if (!named.contains(id) && !marked.contains(id)) unnamed.push_back(info);
  }

  repair.dropped_packs = missing.size();
  const auto& parts = repository.index().parts();
  const auto stale = std::count_if(parts.begin(), parts.end(), [&](const IndexPart& part) {
    return std::any_of(part.packs().begin(), part.packs().end(),
                       [&](const IndexedPack& pack) { return missing.contains(pack.id); });
  });
  repair.removed_indexes = damaged.size() + static_cast<std::uint64_t>(stale);
  add_packs(repository, unnamed, dry_run, repair);
  if (dry_run) return repair;
  drop_from_indexes(repository, missing);
  for (const Damage& damage : damaged) repository.store().remove(damage.object);
  return repair;
}

}  // namespace coppice::repo
