#include "repo/copy.h"

#include <mutex>
#include <utility>

#include "base/crash_point.h"
#include "base/error.h"
#include "repo/blob_writer.h"
#include "repo/commit.h"
#include "repo/marks.h"
#include "repo/pack_check.h"
#include "repo/reach.h"

namespace coppice::repo {

using std::chrono::steady_clock;

Copier::Copier(Repository& from, Repository& to, CopyOptions options)
    : from_(from),
      to_(to),
      options_(std::move(options)),
      shares_keys_(from.keys().gives_same_ids_as(to.keys())) {
  if (!shares_keys_) translation_ = std::make_unique<Translation>(from_);
}

ObjectId Copier::copy(const ObjectId& backup) {
  return shares_keys_ ? copy_as_it_is(backup) : copy_anew(backup);
}

void Copier::learn(const ObjectId& backup, const ObjectId& copied) {
  if (shares_keys_) return;
  translation_->learn(from_.read_manifest(backup), to_, to_.read_manifest(copied));
}

ObjectId Copier::copy_as_it_is(const ObjectId& backup) {
  const std::string name = object_name(kBackupFolder, backup);
  const std::string sealed = get_checked(from_.store(), name);
  const std::string text = from_.open_manifest(backup, sealed);
  const WriterOptions options = begin_backup(to_);
  BlobWriter writer(to_, options);
  std::set<BlobId> lacking;
  std::unordered_set<BlobId> trees;
  Walk(
      from_,
      [&](const BlobId& id) {
        if (!writer.relies_on(id)) lacking.insert(id);
      },
      [&](const BlobId& id) { trees.insert(id); })
      .manifest_text(name, text);
  if (!lacking.empty()) there_ = list_packs(to_.store());
  // A pack that is going to be removed there cannot be written there.
  std::set<ObjectId> unusable = options.marked;
  for (Places places = packs_of(lacking, unusable); !places.empty();
       places = packs_of(lacking, unusable)) {
    copy_packs(places, unusable);
    write_index();
    std::erase_if(lacking, [&](const BlobId& id) { return writer.relies_on(id); });
  }
  // Of packs that are damaged, or are to be removed there, what can be read.
  for (const BlobId& id : lacking) {
    const std::string bytes = from_.read(id);
    writer.add_again(id, bytes, trees.contains(id));
    ++counts_.blobs;
    counts_.blob_bytes += bytes.size();
  }
  writer.flush();
  reach_crash_point("copy.before_manifest");
  const ObjectId id = commit_sealed(to_, writer, text, sealed);
  reach_crash_point("copy.manifest_stored");
  return id;
}

// Packs of the first repository in which the blobs are, as few as come easily.
Copier::Places Copier::packs_of(const std::set<BlobId>& blobs,
                                const std::set<ObjectId>& unusable) const {
  Places places;
  from_.with_index([&](const Index& index) {
    for (const BlobId& id : blobs) {
      std::optional<BlobPlace> found;
      index.visit(id, [&](const BlobPlace& place) {
        if (unusable.contains(place.pack->id)) return true;
        const bool chosen = places.contains(place.pack->id);
        if (!found || chosen) found = place;
        return !chosen;
      });
      if (!found) continue;
      const IndexPart& part = index.parts()[found->part];
      places[found->pack->id] = {found->part, part.entries()[found->entry_index].pack,
                                 found->pack->size_bytes};
    }
  });
  return places;
}

void Copier::copy_packs(const Places& places, std::set<ObjectId>& unusable) {
  std::vector<Places::const_iterator> all;
  std::uint64_t bytes = 0, done = 0;
  for (auto each = places.begin(); each != places.end(); ++each) {
    all.push_back(each);
    bytes += each->second.size_bytes;
  }
  for_each_parallel(
      all.size(), options_.parallel, [&](std::size_t i) { return all[i]->second.size_bytes; },
      [&](std::size_t i) {
        const auto& [id, place] = *all[i];
        const bool copied = copy_pack(id, place);
        bool due = false;
        {
          const std::lock_guard lock(mutex_);
          if (!copied) unusable.insert(id);
          if (copied) index_.add(from_.index().parts()[place.part], place.pack);
          done += place.size_bytes;
          if (options_.progress) options_.progress(done, bytes);
          due = steady_clock::now() - indexed_ >= options_.index_every ||
                index_.entry_count() >= kMostIndexEntries / 2;
        }
        reach_crash_point("copy.pack_stored");
        if (due) write_index();
      });
}

// False when it is damaged here, or there.
bool Copier::copy_pack(const ObjectId& id, const Place& place) {
  const auto there = there_.find(id);
  // One that a call that was killed has left.
  if (there != there_.end()) return there->second.size_bytes == place.size_bytes;
  std::string bytes;
  try {
    bytes = get_checked(from_.store(), pack_name(id));
  } catch (const Error& error) {
    if (!is_damage(error)) throw;
    return false;
  }
  const bool is_new = to_.store().put(pack_name(id), bytes);
  const std::lock_guard lock(mutex_);
  if (!is_new) return true;
  ++counts_.packs;
  counts_.pack_bytes += bytes.size();
  return true;
}

void Copier::write_index() {
  IndexPart part;
  {
    const std::lock_guard lock(mutex_);
    part = std::exchange(index_, {});
    indexed_ = steady_clock::now();
  }
  to_.add_index(std::move(part));
}

ObjectId Copier::copy_anew(const ObjectId& backup) {
  const std::string name = object_name(kBackupFolder, backup);
  const std::string text = from_.read_manifest(backup);
  BlobWriter writer(to_, begin_backup(to_));
  std::string translated;
  try {
    translated = translation_->manifest(name, text, writer, options_.parallel).value();
    writer.flush();
  } catch (...) {
    translation_ = std::make_unique<Translation>(from_);
    throw;
  }
  const WriterCounts written = writer.counts();
  counts_.blobs += written.new_blobs;
  counts_.blob_bytes += written.new_bytes;
  reach_crash_point("copy.before_manifest");
  const ObjectId id = commit(to_, writer, with_origin(translated, {from_.id(), backup}));
  reach_crash_point("copy.manifest_stored");
  return id;
}

}  // namespace coppice::repo
