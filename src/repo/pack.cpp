#include "repo/pack.h"

#include "base/error.h"
#include "repo/compression.h"

namespace coppice::repo {
namespace {

constexpr std::size_t kEntryBytes = 32 + 4 * 4;
constexpr std::uint64_t kMostPackBytes = 0xffff'ffff;

}  // namespace

EncodedBlob encode_blob(const BlobId& id, std::string_view bytes, bool tree) {
  COPPICE_ASSERT(bytes.size() <= kMostBlobBytes);
  EncodedBlob blob{id, bytes, {}, static_cast<std::uint32_t>(bytes.size()), tree ? kBlobTree : 0};
  if (auto smaller = compressed(bytes)) {
    blob.compressed = std::move(*smaller);
    blob.flags |= kBlobCompressed;
  }
  return blob;
}

void PackBuilder::add(const EncodedBlob& blob) {
  const SealedWriter::Frame frame = writer_.add(blob.payload());
  COPPICE_ASSERT(frame.offset + frame.length <= kMostPackBytes);
  entries_.push_back({blob.id, static_cast<std::uint32_t>(frame.offset),
                      static_cast<std::uint32_t>(frame.length), blob.blob_length, blob.flags});
}

Pack PackBuilder::finish() {
  std::string directory;
  for (const PackEntry& entry : entries_) {
    directory += entry.id.view();
    append_u32(directory, entry.offset);
    append_u32(directory, entry.frame_length);
    append_u32(directory, entry.blob_length);
    append_u32(directory, entry.flags);
  }
  const SealedWriter::Frame frame = writer_.add(directory);
  std::string end;
  append_u32(end, static_cast<std::uint32_t>(frame.length));
  append_u32(end, static_cast<std::uint32_t>(entries_.size()));
  Pack pack;
  pack.header = writer_.header();
  pack.bytes = writer_.finish(end);
  pack.id = {writer_.sha256()};
  pack.entries = std::move(entries_);
  return pack;
}

std::uint64_t directory_bytes(const Keys& keys, std::string_view last, std::uint64_t pack_bytes) {
  if (pack_bytes < kHeaderBytes + kPackEndBytes || last.size() < kPackEndBytes) {
    throw Error(ErrorCode::kIntegrity, "it is shorter than any pack");
  }
  const std::uint32_t length = read_u32(last, last.size() - 8);
  const std::uint32_t count = read_u32(last, last.size() - 4);
  const std::uint64_t wanted = frame_bytes(keys, std::uint64_t{count} * kEntryBytes);
  if (length != wanted || wanted > pack_bytes - kHeaderBytes - kPackEndBytes) {
    throw Error(ErrorCode::kIntegrity, "its end is not that of a pack");
  }
  return wanted + kPackEndBytes;
}

std::vector<PackEntry> read_directory(const Keys& keys, const SealedHeader& header,
                                      std::string_view end, std::uint64_t pack_bytes) {
  const std::uint64_t length = directory_bytes(keys, end, pack_bytes);
  COPPICE_ASSERT(end.size() >= length);
  const std::uint64_t begin = pack_bytes - length;
  const std::uint32_t count = read_u32(end, end.size() - 4);
  const std::string directory =
      SealedReader(keys, header)
          .open(count, end.substr(end.size() - length, length - kPackEndBytes));
  std::vector<PackEntry> entries;
  for (std::size_t at = 0; at < directory.size(); at += kEntryBytes) {
    const std::string_view entry = std::string_view(directory).substr(at, kEntryBytes);
    entries.push_back({{digest_from_bytes(entry.substr(0, 32))},
                       read_u32(entry, 32),
                       read_u32(entry, 36),
                       read_u32(entry, 40),
                       read_u32(entry, 44)});
    const PackEntry& last = entries.back();
    if (last.offset < kHeaderBytes || std::uint64_t{last.offset} + last.frame_length > begin) {
      throw Error(ErrorCode::kIntegrity, "its directory names places outside of it");
    }
  }
  return entries;
}

std::vector<PackEntry> read_directory(const Keys& keys, std::string_view pack) {
  directory_bytes(keys, pack, pack.size());
  return read_directory(keys, parse_header(pack, ObjectKind::kPack), pack, pack.size());
}

std::string open_blob(SealedReader& pack, const PackEntry& entry, std::uint32_t number,
                      std::string_view frame) {
  if (entry.blob_length > kMostBlobBytes) {
    throw Error(ErrorCode::kIntegrity, "it has a blob that is larger than any");
  }
  std::string bytes = pack.open(number, frame);
  if ((entry.flags & kBlobCompressed) != 0) bytes = decompressed(bytes, entry.blob_length);
  return bytes;
}

std::string read_blob(const Keys& keys, SealedReader& pack, const PackEntry& entry,
                      std::uint32_t number, std::string_view frame) {
  std::string bytes = open_blob(pack, entry, number, frame);
  if (keys.blob_id(bytes) != entry.id) {
    throw Error(ErrorCode::kIntegrity, "its blob " + entry.id.hex() + " has other bytes");
  }
  return bytes;
}

}  // namespace coppice::repo
