// BlobWriter: puts blobs into a repository.
//
// Model    add() names a blob and keeps it unless the repository has it. Packs are written as they
//          are full, and an index of them at least once a minute, so that little is done again
//          after a crash. flush() makes all of it durable; a manifest is written after that.
// Units    A pack is filled by one thread at a time, so that threads hash and encrypt side by side:
//          at most kMostDataPacks packs of blobs and kMostTreePacks of trees, of about pack_bytes,
//          are in memory, open or being written.
// Threads  add() from any thread; flush() when nobody adds.
// Errors   Those of the store. After one, the writer is not used again.
// Source   docs/formats/repository.md, "Writing"
#pragma once

#include <array>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "repo/repository.h"

namespace coppice::repo {

inline constexpr std::size_t kMostDataPacks = 5;
inline constexpr std::size_t kMostTreePacks = 2;

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
  std::uint64_t packed_bytes = 0;  // of new ones, compressed where that is smaller
  std::uint64_t stored_bytes = 0;  // of packs and indexes, as they are stored: of all kinds only
};

// Files are counted apart, and nothing else: they are kept as data are.
enum class BlobKind { kData, kFile, kTree };

class BlobWriter {
 public:
  // `repository` is borrowed; its index is loaded.
  explicit BlobWriter(Repository& repository, WriterOptions options = {});

  // At most kMostBlobBytes.
  BlobId add(std::string_view bytes) { return add_blob(bytes, BlobKind::kData); }
  BlobId add_file(std::string_view bytes) { return add_blob(bytes, BlobKind::kFile); }
  BlobId add_tree(std::string_view json) { return add_blob(json, BlobKind::kTree); }
  void flush();
  WriterCounts counts() const;
  WriterCounts counts(BlobKind kind) const;

  // For commit(), when nobody adds: the packs in which blobs were found or put; those that must not
  // be relied on from now on; whether a blob is in a pack that may be; and a blob that is not.
  std::set<ObjectId> relied_on() const { return relied_on_; }
  bool trusts() const { return age() < options_.trust_for; }
  bool knows_marks() const { return trusts() && age() < options_.marks_for; }
  void distrust(const std::set<ObjectId>& packs);
  bool relies_on(const BlobId& id);
  void add_again(const BlobId& id, std::string_view bytes);
  // One that the index of this repository may not know.
  void add_again(const BlobId& id, std::string_view bytes, bool tree);

 private:
  // Packs of one kind that are not full. Who takes one is alone with it, and gives it back or ends
  // it. The one that was given back last is taken first: who adds alone fills one pack.
  class OpenPacks {
   public:
    explicit OpenPacks(std::size_t most) : most_(most) {}
    std::unique_ptr<PackBuilder> take(const Keys& keys);
    // nullptr when none is open. Never waits.
    std::unique_ptr<PackBuilder> take_open();
    void give_back(std::unique_ptr<PackBuilder> pack);
    // With the memory of a pack that is written, for the next one.
    void end(std::string buffer = {});

   private:
    const std::size_t most_;
    std::mutex mutex_;
    std::condition_variable room_;
    std::vector<std::unique_ptr<PackBuilder>> open_;
    std::size_t count_ = 0;  // open, taken or being written
    std::vector<std::string> buffers_;
  };

  BlobId add_blob(std::string_view bytes, BlobKind kind);
  std::chrono::steady_clock::duration age() const {
    return std::chrono::steady_clock::now() - options_.begun;
  }
  bool is_known(const BlobId& id);
  void pack_blob(const BlobId& id, std::string_view bytes, BlobKind kind);
  // Under the lock.
  WriterCounts& of(BlobKind kind) { return counts_[static_cast<std::size_t>(kind)]; }
  // Writes one that was taken, and ends it.
  void write_taken(OpenPacks& packs, std::unique_ptr<PackBuilder> open);
  void write(const Pack& pack);
  void write_index();
  IndexPart without_missing_packs(IndexPart part) const;

  Repository& repository_;
  WriterOptions options_;
  mutable std::mutex mutex_;
  std::unordered_set<BlobId> given_;  // by this writer
  std::unordered_set<BlobId> again_;  // that were given before, and are not to be relied on
  std::set<ObjectId> relied_on_;
  OpenPacks data_{kMostDataPacks}, trees_{kMostTreePacks};
  IndexPart index_;  // of packs that are written, the first of them at unindexed_
  std::chrono::steady_clock::time_point unindexed_;
  std::chrono::steady_clock::time_point indexed_ = std::chrono::steady_clock::now();
  std::array<WriterCounts, 3> counts_;  // by kind
  std::uint64_t stored_bytes_ = 0;
};

}  // namespace coppice::repo
