// Sealed objects: a header, and frames that are encrypted one by one.
//
// Units    Offsets and lengths are bytes of the object.
// Threads  An object belongs to one thread at a time.
// Errors   kIntegrity, saying what is wrong; the caller names the object.
// Source   docs/formats/repository.md, "Sealed objects"
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/sha256.h"
#include "repo/keys.h"

namespace coppice::repo {

enum class ObjectKind { kPack, kIndex, kBackup, kMark, kDrill, kSigning, kConfirmation, kHold };

inline constexpr std::size_t kSaltBytes = 32;
inline constexpr std::size_t kHeaderBytes = 8 + kEpochBytes + kSaltBytes;

// What is needed to read a frame beside the keys.
struct SealedHeader {
  ObjectKind kind = ObjectKind::kPack;
  std::string epoch;
  std::string salt;

  std::string bytes() const;
};
SealedHeader parse_header(std::string_view bytes, ObjectKind expected);

// How long the frame of so many plain bytes is.
std::uint64_t frame_bytes(const Keys& keys, std::uint64_t plain_bytes);

class SealedWriter {
 public:
  // In the newest epoch of `keys`, which are borrowed.
  // `buffer` is where the object is made: memory that was used before costs no page faults.
  SealedWriter(const Keys& keys, ObjectKind kind, std::string buffer = {});

  struct Frame {
    std::uint64_t offset = 0;
    std::uint64_t length = 0;
  };
  // Checks that it can be read again.
  Frame add(std::string_view plain);
  std::uint32_t frame_count() const { return frame_count_; }
  std::uint64_t size_bytes() const { return bytes_.size(); }
  const SealedHeader& header() const { return header_; }
  // Ends the object; `plain_end` is appended as it is.
  std::string finish(std::string_view plain_end = {});
  // Of all bytes, made while they are at hand; after finish(), once.
  Digest sha256() { return digest_.finish(); }

 private:
  void count(std::uint64_t begin) { digest_.update(std::string_view(bytes_).substr(begin)); }

  SealedHeader header_;
  std::string header_bytes_;
  std::optional<Cipher> cipher_;
  std::string bytes_;
  Sha256 digest_;
  std::uint32_t frame_count_ = 0;
};

class SealedReader {
 public:
  SealedReader(const Keys& keys, const SealedHeader& header);
  std::string open(std::uint32_t number, std::string_view frame);

 private:
  std::string header_bytes_;
  std::optional<Cipher> cipher_;
};

// Numbers in objects.
void append_u32(std::string& out, std::uint32_t value);
void append_u64(std::string& out, std::uint64_t value);
std::uint32_t read_u32(std::string_view bytes, std::size_t offset);
std::uint64_t read_u64(std::string_view bytes, std::size_t offset);

}  // namespace coppice::repo
