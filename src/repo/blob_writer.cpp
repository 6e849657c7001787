#include "repo/blob_writer.h"

#include <utility>

#include "base/error.h"

namespace coppice::repo {

using std::chrono::steady_clock;

BlobWriter::BlobWriter(Repository& repository, WriterOptions options)
    : repository_(repository), options_(std::move(options)) {}

WriterCounts BlobWriter::counts() const {
  const std::lock_guard lock(mutex_);
  WriterCounts sum;
  for (const WriterCounts& one : counts_) {
    sum.blobs += one.blobs;
    sum.blob_bytes += one.blob_bytes;
    sum.new_blobs += one.new_blobs;
    sum.new_bytes += one.new_bytes;
    sum.packed_bytes += one.packed_bytes;
  }
  sum.stored_bytes = stored_bytes_;
  return sum;
}

WriterCounts BlobWriter::counts(BlobKind kind) const {
  const std::lock_guard lock(mutex_);
  return counts_.at(static_cast<std::size_t>(kind));
}

bool BlobWriter::relies_on(const BlobId& id) {
  const std::optional<ObjectId> there = repository_.with_index([&](const Index& index) {
    const auto place =
        index.find(id, [&](const ObjectId& pack) { return !options_.marked.contains(pack); });
    return place ? std::optional(place->pack->id) : std::nullopt;
  });
  if (!there) return false;
  const std::lock_guard lock(mutex_);
  relied_on_.insert(*there);
  return true;
}

// False for one that this writer must write: it is the first to ask.
bool BlobWriter::is_known(const BlobId& id) {
  if (relies_on(id)) return true;
  const std::lock_guard lock(mutex_);
  return !given_.insert(id).second;
}

void BlobWriter::distrust(const std::set<ObjectId>& packs) {
  options_.marked.insert(packs.begin(), packs.end());
  again_.clear();
  for (const ObjectId& pack : packs) relied_on_.erase(pack);
}

// What was a tree is one again: its flag is that of the place it is read from.
void BlobWriter::add_again(const BlobId& id, std::string_view bytes) {
  const bool tree = repository_.with_index([&](const Index& index) {
    const auto place = index.find(id);
    return place && (place->entry->flags & kBlobTree) != 0;
  });
  add_again(id, bytes, tree);
}

void BlobWriter::add_again(const BlobId& id, std::string_view bytes, bool tree) {
  const BlobKind kind = tree ? BlobKind::kTree : BlobKind::kData;
  {
    const std::lock_guard lock(mutex_);
    if (!again_.insert(id).second) return;
    ++of(kind).new_blobs;
    of(kind).new_bytes += bytes.size();
  }
  pack_blob(id, bytes, kind);
}

BlobId BlobWriter::add_blob(std::string_view bytes, BlobKind kind) {
  if (bytes.size() > kMostBlobBytes) {
    throw Error(ErrorCode::kInternal, "a blob is larger than any may be");
  }
  const BlobId id = repository_.keys().blob_id(bytes);
  const bool known = is_known(id);
  {
    const std::lock_guard lock(mutex_);
    WriterCounts& counts = of(kind);
    ++counts.blobs;
    counts.blob_bytes += bytes.size();
    if (!known) {
      ++counts.new_blobs;
      counts.new_bytes += bytes.size();
    }
  }
  if (!known) pack_blob(id, bytes, kind);
  return id;
}

void BlobWriter::pack_blob(const BlobId& id, std::string_view bytes, BlobKind kind) {
  const bool tree = kind == BlobKind::kTree;
  const EncodedBlob blob = encode_blob(id, bytes, tree);
  {
    const std::lock_guard lock(mutex_);
    of(kind).packed_bytes += blob.payload().size();
  }
  OpenPacks& packs = tree ? trees_ : data_;
  std::unique_ptr<PackBuilder> pack = packs.take(repository_.keys());
  try {
    pack->add(blob);
  } catch (...) {
    packs.end();
    throw;
  }
  if (pack->size_bytes() < options_.pack_bytes) return packs.give_back(std::move(pack));
  write_taken(packs, std::move(pack));
}

void BlobWriter::write_taken(OpenPacks& packs, std::unique_ptr<PackBuilder> open) {
  std::string buffer;
  try {
    Pack pack = open->finish();
    write(pack);
    buffer = std::move(pack.bytes);
  } catch (...) {
    packs.end();
    throw;
  }
  packs.end(std::move(buffer));
}

std::unique_ptr<PackBuilder> BlobWriter::OpenPacks::take(const Keys& keys) {
  std::string buffer;
  {
    std::unique_lock lock(mutex_);
    room_.wait(lock, [&] { return !open_.empty() || count_ < most_; });
    if (!open_.empty()) {
      std::unique_ptr<PackBuilder> pack = std::move(open_.back());
      open_.pop_back();
      return pack;
    }
    ++count_;
    if (!buffers_.empty()) {
      buffer = std::move(buffers_.back());
      buffers_.pop_back();
    }
  }
  try {
    return std::make_unique<PackBuilder>(keys, std::move(buffer));
  } catch (...) {
    end();
    throw;
  }
}

std::unique_ptr<PackBuilder> BlobWriter::OpenPacks::take_open() {
  const std::lock_guard lock(mutex_);
  if (open_.empty()) return nullptr;
  std::unique_ptr<PackBuilder> pack = std::move(open_.back());
  open_.pop_back();
  return pack;
}

void BlobWriter::OpenPacks::give_back(std::unique_ptr<PackBuilder> pack) {
  const std::lock_guard lock(mutex_);
  open_.push_back(std::move(pack));
  room_.notify_one();
}

void BlobWriter::OpenPacks::end(std::string buffer) {
  const std::lock_guard lock(mutex_);
  --count_;
  if (buffer.capacity() > 0) buffers_.push_back(std::move(buffer));
  room_.notify_one();
}

void BlobWriter::write(const Pack& pack) {
  repository_.store().put(pack_name(pack.id), pack.bytes);
  repository_.cache_trees(pack);
  bool due = false;
  {
    const std::lock_guard lock(mutex_);
    stored_bytes_ += pack.bytes.size();
    relied_on_.insert(pack.id);
    if (index_.empty()) unindexed_ = steady_clock::now();
    index_.add(pack);
    due = steady_clock::now() - indexed_ >= options_.index_every ||
          index_.entry_count() >= kMostIndexEntries / 2;
  }
  if (due) write_index();
}

void BlobWriter::write_index() {
  IndexPart part;
  {
    const std::lock_guard lock(mutex_);
    part = std::exchange(index_, {});
    indexed_ = steady_clock::now();
  }
  if (part.empty()) return;
  if (indexed_ - unindexed_ >= options_.trust_for) part = without_missing_packs(std::move(part));
  repository_.add_index(std::move(part));
}

// A program that slept for so long that packs of no index were collected meanwhile must not name
// them.
IndexPart BlobWriter::without_missing_packs(IndexPart part) const {
  const std::map<ObjectId, ObjectInfo> there = list_packs(repository_.store());
  IndexPart kept;
  for (std::size_t number = 0; number < part.packs().size(); ++number) {
    if (there.contains(part.packs()[number].id)) kept.add(part, number);
  }
  return kept;
}

void BlobWriter::flush() {
  for (OpenPacks* const packs : {&data_, &trees_}) {
    while (std::unique_ptr<PackBuilder> pack = packs->take_open()) {
      write_taken(*packs, std::move(pack));
    }
  }
  write_index();
}

}  // namespace coppice::repo
