#include "repo/sealed_object.h"

#include <array>

#include "base/clock.h"
#include "base/error.h"

namespace coppice::repo {
namespace {

constexpr std::array<std::string_view, 8> kLetters = {
    "CPCEPACK", "CPCEINDX", "CPCEBKUP", "CPCEMARK", "CPCEDRIL", "CPCESIGN", "CPCECONF", "CPCEHOLD"};

std::string_view letters(ObjectKind kind) { return kLetters.at(static_cast<std::size_t>(kind)); }

std::string nonce(std::uint32_t number) {
  std::string bytes(kNonceBytes - 4, '\0');
  append_u32(bytes, number);
  return bytes;
}

std::optional<Cipher> cipher_of(const Keys& keys, const SealedHeader& header) {
  if (!keys.encrypted()) return std::nullopt;
  return Cipher(hkdf_sha256(keys.epoch(header.epoch).view(), header.salt, letters(header.kind)));
}

}  // namespace

void append_u32(std::string& out, std::uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>((value >> shift) & 0xff);
}

void append_u64(std::string& out, std::uint64_t value) {
  append_u32(out, static_cast<std::uint32_t>(value >> 32));
  append_u32(out, static_cast<std::uint32_t>(value));
}

std::uint32_t read_u32(std::string_view bytes, std::size_t offset) {
  COPPICE_ASSERT(offset + 4 <= bytes.size());
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    value = value << 8 | static_cast<std::uint8_t>(bytes[offset + i]);
  }
  return value;
}

std::uint64_t read_u64(std::string_view bytes, std::size_t offset) {
  return std::uint64_t{read_u32(bytes, offset)} << 32 | read_u32(bytes, offset + 4);
}

std::string SealedHeader::bytes() const { return std::string(letters(kind)) + epoch + salt; }

SealedHeader parse_header(std::string_view bytes, ObjectKind expected) {
  if (bytes.size() < kHeaderBytes || bytes.substr(0, 8) != letters(expected)) {
    throw Error(ErrorCode::kIntegrity, "it does not begin as its kind of object does");
  }
  return {expected, std::string(bytes.substr(8, kEpochBytes)),
          std::string(bytes.substr(8 + kEpochBytes, kSaltBytes))};
}

std::uint64_t frame_bytes(const Keys& keys, std::uint64_t plain_bytes) {
  return plain_bytes + (keys.encrypted() ? kTagBytes : 0);
}

SealedWriter::SealedWriter(const Keys& keys, ObjectKind kind, std::string buffer)
    : header_{kind, keys.newest_epoch(), random_bytes(kSaltBytes)},
      header_bytes_(header_.bytes()),
      cipher_(cipher_of(keys, header_)),
      bytes_(std::move(buffer)) {
  bytes_.assign(header_bytes_);
  count(0);
}

SealedWriter::Frame SealedWriter::add(std::string_view plain) {
  const std::uint64_t begin = bytes_.size();
  const std::uint32_t number = frame_count_++;
  if (!cipher_) {
    bytes_.append(plain);
    count(begin);
    return {begin, plain.size()};
  }
  cipher_->seal(nonce(number), plain, header_bytes_, bytes_);
  const auto again =
      cipher_->open(nonce(number), std::string_view(bytes_).substr(begin), header_bytes_);
  if (again != plain) {
    throw Error(ErrorCode::kInternal, "what was encrypted cannot be decrypted again",
                "the memory or the processor of this machine makes errors: test it");
  }
  count(begin);
  return {begin, bytes_.size() - begin};
}

std::string SealedWriter::finish(std::string_view plain_end) {
  bytes_.append(plain_end);
  digest_.update(plain_end);
  return std::move(bytes_);
}

SealedReader::SealedReader(const Keys& keys, const SealedHeader& header)
    : header_bytes_(header.bytes()), cipher_(cipher_of(keys, header)) {}

std::string SealedReader::open(std::uint32_t number, std::string_view frame) {
  if (!cipher_) return std::string(frame);
  std::optional<std::string> plain = cipher_->open(nonce(number), frame, header_bytes_);
  if (!plain) throw Error(ErrorCode::kIntegrity, "its bytes are not those that were written");
  return std::move(*plain);
}

}  // namespace coppice::repo
