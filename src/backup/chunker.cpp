#include "backup/chunker.h"

#include <fmt/core.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/error.h"
#include "base/sha256.h"
#include "repo/cipher.h"

namespace coppice {
namespace {

constexpr std::size_t kDigestBytes = 32;
constexpr std::size_t kEntriesInDigest = kDigestBytes / sizeof(std::uint64_t);
// How many bits more, or fewer, are asked for before and behind the average.
constexpr int kNormalisation = 2;

// On so many bytes a hash depends.
constexpr std::size_t kWindowBytes = 64;

// About one of 2^bits hashes is below it.
constexpr std::uint64_t limit(int bits) { return std::uint64_t{1} << (64 - bits); }

// Two bytes a step: what has to wait for each other is half as long.
std::size_t find_cut(const GearTable& gear, const unsigned char* bytes, std::size_t at,
                     std::size_t end, std::uint64_t below, std::uint64_t& hash) {
  std::uint64_t rolled = hash;
  for (; at + 1 < end; at += 2) {
    const std::uint64_t first = gear[bytes[at]];
    const std::uint64_t both = (first << 1) + gear[bytes[at + 1]];
    const std::uint64_t one = (rolled << 1) + first;
    rolled = (rolled << 2) + both;
    if (one < below) return at + 1;
    if (rolled < below) return at + 2;
  }
  if (at < end) {
    rolled = (rolled << 1) + gear[bytes[at]];
    if (rolled < below) return at + 1;
  }
  hash = rolled;
  return 0;
}

}  // namespace

GearTable gear_table(const repo::Keys& keys) {
  GearTable gear{};
  for (std::size_t part = 0; part < gear.size() / kEntriesInDigest; ++part) {
    const std::string name = fmt::format("coppice gear 1 {}", part);
    std::string bytes;
    if (keys.encrypted()) {
      bytes = repo::hkdf_sha256(keys.id_key().view(), "", name).view();
    } else {
      const Digest digest = sha256(name);
      bytes.assign(digest.begin(), digest.end());
    }
    for (std::size_t i = 0; i < kDigestBytes; ++i) {
      std::uint64_t& entry = gear.at(part * kEntriesInDigest + i / sizeof(std::uint64_t));
      entry = entry << 8 | static_cast<unsigned char>(bytes[i]);
    }
  }
  return gear;
}

std::size_t first_chunk(const GearTable& gear, const ChunkSizes& sizes, std::string_view bytes) {
  if (bytes.size() <= sizes.least) return bytes.size();
  const int bits = std::countr_zero(sizes.average);
  const std::size_t end = std::min(bytes.size(), sizes.most);
  const std::size_t middle = std::min(end, sizes.average);
  const auto* data = reinterpret_cast<const unsigned char*>(bytes.data());
  std::uint64_t hash = 0;
  for (std::size_t at = sizes.least - std::min(sizes.least, kWindowBytes); at < sizes.least; ++at) {
    hash = (hash << 1) + gear[data[at]];
  }
  const std::uint64_t strict = limit(bits + kNormalisation), lax = limit(bits - kNormalisation);
  if (const std::size_t cut = find_cut(gear, data, sizes.least, middle, strict, hash)) return cut;
  if (const std::size_t cut = find_cut(gear, data, middle, end, lax, hash)) return cut;
  return end;
}

void Chunker::add(std::string_view bytes, const Visit& visit) {
  buffer_ += bytes;
  std::size_t at = 0;
  while (buffer_.size() - at >= sizes_.most) {
    const std::string_view rest = std::string_view(buffer_).substr(at);
    const std::size_t length = first_chunk(gear_, sizes_, rest);
    visit(rest.substr(0, length));
    at += length;
  }
  buffer_.erase(0, at);
}

void Chunker::finish(const Visit& visit) {
  std::string_view rest = buffer_;
  while (!rest.empty()) {
    const std::size_t length = first_chunk(gear_, sizes_, rest);
    visit(rest.substr(0, length));
    rest.remove_prefix(length);
  }
  buffer_.clear();
}

}  // namespace coppice
