// Repository: blobs and manifests in an object store, for whoever holds a key.
//
// Model    create() makes one, open() opens one. load_index() reads what blobs there are; blobs are
//          then read by their ids, and written by a BlobWriter (repo/blob_writer.h). A manifest
//          makes what it reaches a backup.
// Threads  After load_index(): reading from any thread; adding to the index is locked.
// Errors   kNotFound when there is no repository; kNewerFormat; kRefused for a wrong key, or
//          encryption that is not as expected; kIntegrity, naming object and blob, for what is
//          damaged; those of the store.
// Source   docs/formats/repository.md
#pragma once

#include <memory>
#include <optional>
#include <set>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "objects/object_store.h"
#include "repo/access.h"
#include "repo/index.h"
#include "repo/listing.h"
#include "repo/object_cache.h"

namespace coppice::repo {

// nullopt: not encrypted, which somebody must have asked for by name.
using Opener = std::optional<Secret>;

using ManifestInfo = ListedObject;

// How long what was listed is taken for what is.
inline constexpr std::chrono::seconds kFreshFor{60};

// What could not be read of several objects.
struct Damage {
  std::string object;
  std::string what;
  std::vector<BlobId> blobs;  // that cannot be read; the first of them, if they are many
};

class Repository {
 public:
  // `store` and `clock` are borrowed. kAlreadyExists when there is one.
  static Repository create(ObjectStore& store, const Opener& opener, const Clock& clock);
  // One with the keys of another, but for its name: backups go from one to the other as they are.
  // Goes on where a call that was killed has ended; kRefused when the store has anything else.
  static Repository create_copy(ObjectStore& store, const Repository& of);
  // `cache` is borrowed, if there is one. Two requests, and those for documents of accesses and
  // epochs that are not in it; load_index() needs none but for indexes that are not in it.
  static Repository open(ObjectStore& store, const Opener& opener, ObjectCache* cache = nullptr);

  // The same, its index not loaded, that reads everything from the store.
  Repository uncached() const { return {store_, id_, keys_}; }

  const std::string& id() const { return id_; }
  bool encrypted() const { return keys_.encrypted(); }
  const Keys& keys() const { return keys_; }
  ObjectStore& store() const { return store_; }

  // Every index; one that is loaded is not read again. What is damaged is given back; the blobs
  // that only it names are missing. With kOpened, the first call takes what open() has listed.
  enum class AsOf { kOpened, kNow };
  std::vector<Damage> load_index(AsOf when = AsOf::kOpened);
  // What was listed for the index as it is.
  const Listing& listing() const { return listing_; }
  bool index_is_fresh() const { return index_loaded_ && is_fresh(listing_); }
  bool has(const BlobId& id) const;
  std::size_t blob_count() const;
  // One request, and one more for each pack in which it is damaged or missing. kNotFound when no
  // index names it.
  std::string read(const BlobId& id) const;

  // Makes an index of new packs durable and known here.
  void add_index(IndexPart part);

  ObjectId put_manifest(std::string_view json);
  std::string read_manifest(const ObjectId& id) const;
  // Of the bytes of its object.
  std::string open_manifest(const ObjectId& id, std::string_view sealed) const;
  // In the order of their time: as it is now, and as it was in listing(), without a request.
  std::vector<ManifestInfo> list_manifests() const;
  std::vector<ManifestInfo> listed_manifests() const;
  // False when it is not there.
  bool remove_manifest(const ObjectId& id);

  // An object of one frame, named by its content.
  ObjectId put_sealed(std::string_view folder, ObjectKind kind, std::string_view plain);
  std::string get_sealed(std::string_view folder, ObjectKind kind, const ObjectId& id) const;
  // Keeps the trees of a pack in the cache, if there is one.
  void cache_trees(const Pack& pack) const;

  // For one that is alone with it: parts stay where they are when others are added.
  const Index& index() const { return index_; }
  // Calls with the index while nobody adds to it.
  template <typename Call>
  auto with_index(const Call& call) const {
    const std::shared_lock lock(mutex_->mutex);
    return call(index_);
  }

 private:
  struct Mutex {  // so that a Repository can be moved
    mutable std::shared_mutex mutex;
  };
  Repository(ObjectStore& store, std::string id, Keys keys, ObjectCache* cache = nullptr)
      : store_(store), id_(std::move(id)), keys_(std::move(keys)), cache_(cache) {}

  static bool is_fresh(const Listing& listing) {
    return std::chrono::steady_clock::now() - listing.at < kFreshFor;
  }
  std::optional<std::vector<Damage>> read_indexes();
  std::string get_object(const std::string& name) const;
  std::string read_at(const IndexedPack& pack, const IndexEntry& entry) const;
  std::string read_frame(const IndexedPack& pack, const IndexEntry& entry) const;

  ObjectStore& store_;
  std::string id_;
  Keys keys_;
  ObjectCache* cache_ = nullptr;
  Listing listing_;
  bool index_loaded_ = false;
  std::unique_ptr<Mutex> mutex_ = std::make_unique<Mutex>();
  Index index_;
};

// The object's bytes, whose SHA-256 must be in its name. Throws kIntegrity, naming it.
std::string get_checked(ObjectStore& store, const std::string& name);

}  // namespace coppice::repo
