#include "repo/pack_check.h"

#include <fmt/core.h>

#include <algorithm>
#include <numeric>
#include <random>

#include "base/clock.h"
#include "base/sha256.h"

namespace coppice::repo {
namespace {

std::uint64_t random_seed() {
  const std::string bytes = random_bytes(8);
  return read_u64(bytes, 0);
}

bool in_part(const ObjectId& id, const CheckOptions& options) {
  return options.part_count <= 1 || read_u64(id.view(), 0) % options.part_count == options.part;
}

}  // namespace

bool is_damage(const Error& error) {
  return error.code() == ErrorCode::kIntegrity || error.code() == ErrorCode::kNotFound ||
         error.code() == ErrorCode::kIo;
}

PackCheck::PackCheck(const Repository& repository, const std::map<ObjectId, ObjectInfo>& there,
                     CheckReport& report)
    : repository_(repository), index_(repository.index()), there_(there), report_(report) {
  const auto part_count = static_cast<std::uint32_t>(index_.parts().size());
  order_.resize(part_count);
  lost_.resize(part_count);
  for (std::uint32_t part = 0; part < part_count; ++part) group(part);
}

// Brings the entries of each pack of a part together.
void PackCheck::group(std::uint32_t part_number) {
  const IndexPart& part = index_.parts()[part_number];
  lost_[part_number].resize(part.entry_count());
  std::vector<std::uint32_t> ends(part.packs().size() + 1);
  for (const IndexEntry& each : part.entries()) ++ends[each.pack + 1];
  std::partial_sum(ends.begin(), ends.end(), ends.begin());
  for (std::uint32_t pack = 0; pack < part.packs().size(); ++pack) {
    shares_[part.packs()[pack].id].push_back({part_number, pack, ends[pack], ends[pack + 1]});
  }
  std::vector<std::uint32_t>& order = order_[part_number];
  order.resize(part.entry_count());
  for (std::uint32_t i = 0; i < part.entry_count(); ++i) {
    order[ends[part.entries()[i].pack]++] = i;
  }
}

// With mutex_ held.
void PackCheck::lose(const Share& share, std::uint32_t at, Damage& damage) {
  lost_[share.part][order_[share.part][at]] = true;
  const BlobId& id = entry(share, at).id;
  const bool named = std::find(damage.blobs.begin(), damage.blobs.end(), id) != damage.blobs.end();
  if (!named && damage.blobs.size() < kMostNamedBlobs) damage.blobs.push_back(id);
}

void PackCheck::compare() {
  for (const auto& [id, shares] : shares_) compare_pack(id, shares);
  report_.packs = there_.size();
  for (const auto& [id, info] : there_) {
    if (!shares_.contains(id)) report_.unindexed.push_back(info);
  }
}

void PackCheck::compare_pack(const ObjectId& id, const std::vector<Share>& shares) {
  const auto found = there_.find(id);
  const bool missing = found == there_.end();
  const std::uint64_t size_bytes = missing ? 0 : found->second.size_bytes;
  Damage damage{pack_name(id), "it is missing", {}};
  bool damaged = missing;
  for (const Share& share : shares) {
    const std::uint64_t wanted = index_.parts()[share.part].packs()[share.pack].size_bytes;
    if (!missing && size_bytes != wanted) {
      damage.what = fmt::format("it has {} bytes, and {} had been written", size_bytes, wanted);
      damaged = true;
    }
    for (std::uint32_t at = share.begin; at < share.end; ++at) {
      const IndexEntry& each = entry(share, at);
      const std::uint64_t end = std::uint64_t{each.offset} + each.frame_length;
      if (missing || end > size_bytes) lose(share, at, damage);
    }
  }
  complete_ = complete_ && !missing;
  if (damaged) report_.damages.push_back(std::move(damage));
}

void PackCheck::read(const CheckOptions& options) {
  std::mt19937_64 random(random_seed());
  std::uniform_real_distribution<double> chance;
  std::vector<std::map<ObjectId, ObjectInfo>::const_iterator> chosen;
  std::uint64_t all = 0, done = 0;
  for (auto each = there_.begin(); each != there_.end(); ++each) {
    if (!shares_.contains(each->first) || !in_part(each->first, options)) continue;
    if (options.share < 1.0 && chance(random) >= options.share) continue;
    chosen.push_back(each);
    all += each->second.size_bytes;
  }
  for_each_parallel(
      chosen.size(), options.parallel, [&](std::size_t i) { return chosen[i]->second.size_bytes; },
      [&](std::size_t i) {
        read_pack(chosen[i]->second, shares_.at(chosen[i]->first));
        const std::lock_guard lock(mutex_);
        done += chosen[i]->second.size_bytes;
        if (options.progress) options.progress(done, all);
      });
}

void PackCheck::read_pack(const ObjectInfo& info, const std::vector<Share>& shares) {
  Damage damage{info.name, {}, {}};
  std::string bytes;
  try {
    bytes = repository_.store().get(info.name);
  } catch (const Error& error) {
    if (!is_damage(error)) throw;
    if (error.code() == ErrorCode::kNotFound && was_collected(shares)) return;
    damage.what = error.message();
  }
  if (damage.what.empty() && ObjectId{sha256(bytes)} != object_id(info.name)) {
    damage.what = "its bytes are not those that were written";
  }
  check_blobs(bytes, shares, damage);
  const std::lock_guard lock(mutex_);
  ++report_.packs_read;
  report_.bytes_read += bytes.size();
  if (damage.what.empty()) return;
  // compare() may have said the same of its length.
  for (Damage& known : report_.damages) {
    if (known.object != info.name) continue;
    known.blobs = std::move(damage.blobs);
    return;
  }
  report_.damages.push_back(std::move(damage));
}

// A collection removes the indexes of a pack before it.
bool PackCheck::was_collected(const std::vector<Share>& shares) const {
  return std::none_of(shares.begin(), shares.end(), [&](const Share& share) {
    const ObjectId& object = index_.parts()[share.part].object;
    return repository_.store().stat(object_name(kIndexFolder, object)).has_value();
  });
}

void PackCheck::check_blobs(const std::string& bytes, const std::vector<Share>& shares,
                            Damage& damage) {
  for (const Share& share : shares) {
    const IndexedPack& pack = index_.parts()[share.part].packs()[share.pack];
    std::optional<SealedReader> reader;
    try {
      reader.emplace(repository_.keys(), pack.header());
    } catch (const Error& error) {
      if (!is_damage(error)) throw;
      if (damage.what.empty()) damage.what = error.message();
    }
    for (std::uint32_t at = share.begin; at < share.end; ++at) {
      const IndexEntry& each = entry(share, at);
      try {
        const std::string_view whole = bytes;
        if (!reader || std::uint64_t{each.offset} + each.frame_length > whole.size()) {
          throw Error(ErrorCode::kIntegrity, "it ends too early");
        }
        read_blob(repository_.keys(), *reader, each.in_pack(), each.number,
                  whole.substr(each.offset, each.frame_length));
      } catch (const Error& error) {
        if (!is_damage(error)) throw;
        const std::lock_guard lock(mutex_);
        if (damage.what.empty()) damage.what = error.message();
        lose(share, at, damage);
      }
    }
    const std::lock_guard lock(mutex_);
    report_.blobs_read += share.end - share.begin;
  }
}

bool PackCheck::is_unknown(const BlobId& id) const { return !index_.find(id).has_value(); }

bool PackCheck::is_lost(const BlobId& id) const {
  bool lost = true;
  index_.visit(id, [&](const BlobPlace& place) {
    lost = lost_[place.part][place.entry_index];
    return lost;
  });
  return lost;
}

}  // namespace coppice::repo
