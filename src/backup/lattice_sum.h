// LatticeSum: a digest of a multiset to which elements may be added, and from which they may be
// taken, in any order.
//
// Model    An element is 32 bytes, a SHA-256. It is expanded to 1024 numbers of 16 bits, and a sum
//          holds, in 1024 lanes of 64 bits, what the numbers of all its elements add up to. As
//          lanes are wider than numbers, an element that is in a multiset 65,536 times counts too.
//          Sums are a group: adding the sum of what came and subtracting that of what went gives
//          exactly the sum of what is there.
// Threads  One thread an object.
// Source   docs/formats/root.md; Lewi, Kim, Maykov, Weis: Securing Update Propagation with
//          Homomorphic Hashing, 2019.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/sha256.h"

namespace coppice {

inline constexpr std::size_t kLanes = 1024;

// Expands elements: the key stream of AES-256 in counter mode, which processors have instructions
// for. The numbers are valid until the next call.
class ElementExpander {
 public:
  ElementExpander();
  ~ElementExpander();
  ElementExpander(const ElementExpander&) = delete;
  ElementExpander& operator=(const ElementExpander&) = delete;

  std::span<const std::uint16_t, kLanes> expand(const Digest& element);
  // The element is the SHA-256 of these bytes.
  std::span<const std::uint16_t, kLanes> expand_hash_of(std::string_view bytes);

 private:
  struct Cipher;
  std::unique_ptr<Cipher> cipher_;
};

class LatticeSum {
 public:
  LatticeSum();

  void add(std::span<const std::uint16_t, kLanes> numbers);
  void add(const LatticeSum& other);
  void subtract(const LatticeSum& other);

  // How many elements there are.
  std::int64_t count() const { return count_; }
  // What stands for the multiset.
  Digest digest() const;
  bool operator==(const LatticeSum& other) const;

  // The lanes, 8 bytes each, little-endian.
  std::string bytes() const;
  // nullopt for bytes of another length.
  static std::optional<LatticeSum> from_bytes(std::int64_t count, std::string_view bytes);

 private:
  void settle();
  std::vector<std::uint64_t> settled_lanes() const;

  std::int64_t count_ = 0;
  std::vector<std::uint64_t> lanes_;
  // Of the elements added last: narrow lanes are added to twice as fast.
  std::vector<std::uint32_t> recent_;
  std::uint32_t recent_count_ = 0;
};

}  // namespace coppice
