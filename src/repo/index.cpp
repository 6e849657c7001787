#include "repo/index.h"

#include <algorithm>

#include "base/error.h"

namespace coppice::repo {
namespace {

constexpr std::size_t kPackBytes = 32 + 8 + kEpochBytes + kSaltBytes;
constexpr std::size_t kEntryBytes = 32 + 6 * 4;
constexpr std::size_t kEntriesPerFrame = 65'536;

constexpr std::size_t kLargePart = 65'536;  // entries
constexpr std::size_t kMostUnmerged = 32;   // parts

std::uint64_t prefix_of(const BlobId& id) { return read_u64(id.view(), 0); }

bool before(const IndexEntry& one, const IndexEntry& other) { return one.id < other.id; }

// Takes frames off an object.
class Frames {
 public:
  Frames(const Keys& keys, std::string_view object, ObjectKind kind)
      : keys_(keys),
        reader_(keys, parse_header(object, kind)),
        rest_(object.substr(kHeaderBytes)) {}

  bool at_end() const { return rest_.empty(); }
  std::string next(std::uint64_t plain_bytes) {
    const std::uint64_t length = frame_bytes(keys_, plain_bytes);
    if (length > rest_.size()) throw Error(ErrorCode::kIntegrity, "it ends too early");
    std::string plain = reader_.open(number_++, rest_.substr(0, length));
    rest_.remove_prefix(length);
    return plain;
  }

 private:
  const Keys& keys_;
  SealedReader reader_;
  std::string_view rest_;
  std::uint32_t number_ = 0;
};

}  // namespace

void IndexPart::add(const Pack& pack) {
  add({pack.id, pack.bytes.size(), pack.header.epoch, pack.header.salt}, pack.entries);
}

void IndexPart::add(const IndexedPack& pack, const std::vector<PackEntry>& entries) {
  const auto number = static_cast<std::uint32_t>(packs_.size());
  packs_.push_back(pack);
  std::uint32_t frame = 0;
  for (const PackEntry& entry : entries) {
    entries_.push_back({entry.id, number, frame++, entry.offset, entry.frame_length,
                        entry.blob_length, entry.flags});
  }
}

void IndexPart::add(const IndexPart& from, std::size_t pack_number) {
  const auto number = static_cast<std::uint32_t>(packs_.size());
  packs_.push_back(from.packs_[pack_number]);
  for (IndexEntry entry : from.entries_) {
    if (entry.pack != pack_number) continue;
    entry.pack = number;
    entries_.push_back(entry);
  }
}

void IndexPart::sort() {
  if (std::is_sorted(entries_.begin(), entries_.end(), before)) return;
  std::sort(entries_.begin(), entries_.end(), before);
}

std::pair<std::size_t, std::size_t> IndexPart::find(const BlobId& id) const {
  const auto [first, last] =
      std::equal_range(entries_.begin(), entries_.end(), IndexEntry{id}, before);
  return {static_cast<std::size_t>(first - entries_.begin()),
          static_cast<std::size_t>(last - first)};
}

std::string IndexPart::encode(const Keys& keys) const {
  COPPICE_ASSERT(std::is_sorted(entries_.begin(), entries_.end(), before));
  SealedWriter writer(keys, ObjectKind::kIndex);
  std::string counts, packs;
  append_u32(counts, static_cast<std::uint32_t>(packs_.size()));
  append_u32(counts, static_cast<std::uint32_t>(entries_.size()));
  writer.add(counts);
  for (const IndexedPack& pack : packs_) {
    packs += pack.id.view();
    append_u64(packs, pack.size_bytes);
    packs += pack.epoch;
    packs += pack.salt;
  }
  writer.add(packs);
  for (std::size_t begin = 0; begin < entries_.size(); begin += kEntriesPerFrame) {
    const std::size_t end = std::min(entries_.size(), begin + kEntriesPerFrame);
    std::string frame;
    frame.reserve((end - begin) * kEntryBytes);
    for (std::size_t i = begin; i < end; ++i) {
      const IndexEntry& entry = entries_[i];
      frame += entry.id.view();
      for (const std::uint32_t number : {entry.pack, entry.number, entry.offset, entry.frame_length,
                                         entry.blob_length, entry.flags}) {
        append_u32(frame, number);
      }
    }
    writer.add(frame);
  }
  return writer.finish();
}

IndexPart IndexPart::decode(const Keys& keys, std::string_view object) {
  Frames frames(keys, object, ObjectKind::kIndex);
  const std::string counts = frames.next(8);
  const std::uint32_t pack_count = read_u32(counts, 0);
  const std::uint32_t entry_count = read_u32(counts, 4);
  IndexPart part;
  const std::string packs = frames.next(std::uint64_t{pack_count} * kPackBytes);
  for (std::size_t at = 0; at < packs.size(); at += kPackBytes) {
    const std::string_view pack = std::string_view(packs).substr(at, kPackBytes);
    part.packs_.push_back({{digest_from_bytes(pack.substr(0, 32))},
                           read_u64(pack, 32),
                           std::string(pack.substr(40, kEpochBytes)),
                           std::string(pack.substr(40 + kEpochBytes, kSaltBytes))});
  }
  // What it says is believed only as far as there are bytes.
  part.entries_.reserve(std::min<std::size_t>(entry_count, object.size() / kEntryBytes));
  for (std::size_t left = entry_count; left > 0;) {
    const std::size_t count = std::min(left, kEntriesPerFrame);
    const std::string frame = frames.next(count * kEntryBytes);
    for (std::size_t at = 0; at < frame.size(); at += kEntryBytes) {
      IndexEntry entry;
      entry.id = {digest_from_bytes(std::string_view(frame).substr(at, 32))};
      entry.pack = read_u32(frame, at + 32);
      entry.number = read_u32(frame, at + 36);
      entry.offset = read_u32(frame, at + 40);
      entry.frame_length = read_u32(frame, at + 44);
      entry.blob_length = read_u32(frame, at + 48);
      entry.flags = read_u32(frame, at + 52);
      const bool in_order = part.entries_.empty() || !(entry.id < part.entries_.back().id);
      if (entry.pack >= pack_count || !in_order) {
        throw Error(ErrorCode::kIntegrity, "its entries are not those of an index");
      }
      part.entries_.push_back(entry);
    }
    left -= count;
  }
  if (!frames.at_end()) throw Error(ErrorCode::kIntegrity, "it goes on behind its end");
  return part;
}

void Index::add(IndexPart part) {
  part.sort();
  parts_.push_back(std::move(part));
  if (parts_.size() - merged_ > kMostUnmerged + merged_ / 8) merge();
}

void Index::take(Index&& from, const std::set<ObjectId>& objects) {
  for (IndexPart& part : from.parts_) {
    if (objects.contains(part.object)) parts_.push_back(std::move(part));
  }
}

void Index::merge() {
  const auto sorted = static_cast<std::ptrdiff_t>(keys_.size());
  for (; merged_ < parts_.size(); ++merged_) {
    const auto number = static_cast<std::uint32_t>(merged_);
    const std::vector<IndexEntry>& entries = parts_[merged_].entries();
    if (entries.size() >= kLargePart) {
      large_.push_back(number);
      continue;
    }
    for (std::uint32_t i = 0; i < entries.size(); ++i) {
      keys_.push_back({prefix_of(entries[i].id), number, i});
    }
  }
  std::sort(keys_.begin() + sorted, keys_.end());
  std::inplace_merge(keys_.begin(), keys_.begin() + sorted, keys_.end());
}

BlobPlace Index::place(std::size_t part_number, std::size_t entry_number) const {
  const IndexPart& part = parts_[part_number];
  const IndexEntry& entry = part.entries()[entry_number];
  return {&part.packs()[entry.pack], &entry, part_number, entry_number};
}

void Index::visit(const BlobId& id, const std::function<bool(const BlobPlace&)>& visit) const {
  const std::uint64_t prefix = prefix_of(id);
  for (auto key = std::lower_bound(keys_.begin(), keys_.end(), Key{prefix, 0, 0});
       key != keys_.end() && key->prefix == prefix; ++key) {
    const BlobPlace found = place(key->part, key->entry);
    if (found.entry->id == id && !visit(found)) return;
  }
  const auto visit_part = [&](std::size_t number) {
    const auto [first, count] = parts_[number].find(id);
    for (std::size_t i = first; i < first + count; ++i) {
      if (!visit(place(number, i))) return false;
    }
    return true;
  };
  for (const std::uint32_t number : large_) {
    if (!visit_part(number)) return;
  }
  for (std::size_t number = merged_; number < parts_.size(); ++number) {
    if (!visit_part(number)) return;
  }
}

std::optional<BlobPlace> Index::find(
    const BlobId& id, const std::function<bool(const ObjectId& pack)>& usable) const {
  std::optional<BlobPlace> found;
  visit(id, [&](const BlobPlace& place) {
    if (usable && !usable(place.pack->id)) return true;
    found = place;
    return false;
  });
  return found;
}

std::size_t Index::entry_count() const {
  std::size_t count = 0;
  for (const IndexPart& part : parts_) count += part.entry_count();
  return count;
}

}  // namespace coppice::repo
