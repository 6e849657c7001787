// FieldHash: SHA-256 over a sequence of fields, in an encoding that no two sequences share.
//
// Model    What is hashed is the name of its form first ("coppice root 1 table"), then fields in a
//          fixed order. A text is one byte 1, its length and its bytes; a missing one is one byte
//          0.
// Units    Lengths and counts are 8 bytes, little-endian.
// Threads  One thread.
// Source   docs/formats/root.md, "Fields"
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/sha256.h"

namespace coppice {

void append_count(std::string& bytes, std::uint64_t count);
void append_text(std::string& bytes, std::string_view text);
void append_missing(std::string& bytes);

class FieldHash {
 public:
  explicit FieldHash(std::string_view form);

  FieldHash& text(std::string_view text);
  FieldHash& optional(const std::optional<std::string>& text);
  FieldHash& flag(bool value);  // "t" or "f"
  FieldHash& count(std::uint64_t count);
  FieldHash& digest(const Digest& digest);

  // Ends the computation.
  Digest finish();

 private:
  void flush();

  Sha256 hash_;
  std::string waiting_;
};

}  // namespace coppice
