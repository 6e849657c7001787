// BlobWriter: puts blobs into a repository.
//
// Model    add() names a blob and keeps it unless the repository has it. Packs are written as they
//          are full, and an index of them at least once a minute, so that little is done again
//          after a crash. flush() makes all of it durable; a manifest is written after that.
// Units    At most one open pack for blobs and one for trees, and one more for each thread that
//          writes a full one, are in memory: about pack_bytes each.
// Threads  add() from any thread; flush() when nobody adds.
// Errors   Those of the store. After one, the writer is not used again.
// Source   docs/formats/repository.md, "Writing"
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string_view>
#include <unordered_set>

#include "repo/repository.h"

namespace coppice::repo {

struct WriterOptions {
  std::uint64_t pack_bytes = std::uint64_t{32} << 20;
  std::chrono::seconds index_every{60};
  // Packs that must not be relied on: a collection is going to remove them.
  std::set<ObjectId> marked;
  // How long packs that were there are taken to be there still.
  std::chrono::seconds trust_for{3'600};
  // When the marks were read; and how long they need not be read again.
  std::chrono::steady_clock::time_point begun = std::chrono::steady_clock::now();
  std::chrono::seconds marks_for = kFreshFor;
};

struct WriterCounts {
  std::uint64_t blobs = 0;         // given
  std::uint64_t blob_bytes = 0;    //
  std::uint64_t new_blobs = 0;     // that were not there
  std::uint64_t new_bytes = 0;     //
  std::uint64_t stored_bytes = 0;  // of packs and indexes, as they are stored
};

class BlobWriter {
 public:
  // `repository` is borrowed; its index is loaded.
  explicit BlobWriter(Repository& repository, WriterOptions options = {});

  // At most kMostBlobBytes.
  BlobId add(std::string_view bytes) { return add_blob(bytes, false); }
  BlobId add_tree(std::string_view json) { return add_blob(json, true); }
  void flush();
  WriterCounts counts() const;

  // For commit(), when nobody adds: the packs in which blobs were found or put; those that must not
  // be relied on from now on; whether a blob is in a pack that may be; and a blob that is not.
  std::set<ObjectId> relied_on() const { return relied_on_; }
  bool trusts() const { return age() < options_.trust_for; }
  bool knows_marks() const { return trusts() && age() < options_.marks_for; }
  void distrust(const std::set<ObjectId>& packs);
  bool relies_on(const BlobId& id);
  void add_again(const BlobId& id, std::string_view bytes);

 private:
  BlobId add_blob(std::string_view bytes, bool tree);
  std::chrono::steady_clock::duration age() const {
    return std::chrono::steady_clock::now() - options_.begun;
  }
  bool is_known(const BlobId& id);
  void pack_blob(const BlobId& id, std::string_view bytes, bool tree);
  void write(Pack pack);
  void write_index();
  IndexPart without_missing_packs(IndexPart part) const;

  Repository& repository_;
  WriterOptions options_;
  mutable std::mutex mutex_;
  std::unordered_set<BlobId> given_;  // by this writer
  std::unordered_set<BlobId> again_;  // that were given before, and are not to be relied on
  std::set<ObjectId> relied_on_;
  std::optional<PackBuilder> data_, trees_;
  IndexPart index_;  // of packs that are written, the first of them at unindexed_
  std::chrono::steady_clock::time_point unindexed_;
  std::chrono::steady_clock::time_point indexed_ = std::chrono::steady_clock::now();
  WriterCounts counts_;
};

}  // namespace coppice::repo
