// Copying backups into another repository.
//
// Model    When both have the same id key, packs go over as they are, without being decrypted; only
//          trees are read, for what they name. Otherwise every blob is decrypted, and written anew
//          under the other's keys, trees with the names that blobs have there: the manifest says
//          what it is a copy of. A manifest is written last, so what a call that was killed has
//          left is taken up by the next one, and is no backup before.
// Units    Memory: as many bytes of packs as ParallelOptions says; 32 bytes a blob that is lacking.
// Threads  One thread calls; others read and write.
// Errors   kIntegrity or kNotFound, naming the object, when the backup cannot be read as a whole:
//          then nothing in the other repository says that it is there. kConflict as commit(). Those
//          of both stores.
// Source   docs/formats/repository.md, "Copies"
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>

#include "repo/parallel.h"
#include "repo/repository.h"
#include "repo/translation.h"

namespace coppice::repo {

struct CopyOptions {
  ParallelOptions parallel;
  std::chrono::seconds index_every{60};
  // Called, by one thread at a time, with the bytes of a backup's packs that are there and are to
  // be.
  std::function<void(std::uint64_t done, std::uint64_t all)> progress;
};

struct CopyCounts {
  std::uint64_t packs = 0, pack_bytes = 0;  // as they were
  std::uint64_t blobs = 0, blob_bytes = 0;  // written anew
};

class Copier {
 public:
  // Both are borrowed, their indexes are loaded.
  Copier(Repository& from, Repository& to, CopyOptions options);

  // Whether packs go over as they are.
  bool shares_keys() const { return shares_keys_; }
  // A backup that both have, as `copied` in the other: what it reaches is not read again.
  void learn(const ObjectId& backup, const ObjectId& copied);
  // Gives its id in the other repository: the same when keys are shared.
  ObjectId copy(const ObjectId& backup);
  const CopyCounts& counts() const { return counts_; }

 private:
  // Where a pack of `from_` is in its index.
  struct Place {
    std::size_t part = 0, pack = 0;
    std::uint64_t size_bytes = 0;
  };
  using Places = std::map<ObjectId, Place>;

  ObjectId copy_as_it_is(const ObjectId& backup);
  ObjectId copy_anew(const ObjectId& backup);
  Places packs_of(const std::set<BlobId>& blobs, const std::set<ObjectId>& unusable) const;
  void copy_packs(const Places& places, std::set<ObjectId>& unusable);
  bool copy_pack(const ObjectId& id, const Place& place);
  void write_index();

  Repository& from_;
  Repository& to_;
  const CopyOptions options_;
  const bool shares_keys_;
  std::unique_ptr<Translation> translation_;
  CopyCounts counts_;
  std::mutex mutex_;                      // of what follows, and the counts
  std::map<ObjectId, ObjectInfo> there_;  // packs of the other repository
  IndexPart index_;                       // of those that are there and that no index names yet
  std::chrono::steady_clock::time_point indexed_ = std::chrono::steady_clock::now();
};

}  // namespace coppice::repo
