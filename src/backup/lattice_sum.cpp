#include "backup/lattice_sum.h"

#include <openssl/evp.h>

#include <bit>

#include "backup/field_hash.h"
#include "base/error.h"

namespace coppice {
namespace {

constexpr std::size_t kElementBytes = kLanes * sizeof(std::uint16_t);
constexpr std::uint32_t kMostRecent = 65'536;  // times 65,535 is below 2^32

}  // namespace

struct ElementExpander::Cipher {
  EVP_CIPHER* cipher = EVP_CIPHER_fetch(nullptr, "AES-256-CTR", nullptr);
  EVP_CIPHER_CTX* context = EVP_CIPHER_CTX_new();
  // Fetched once: that takes as long as hashing a cell.
  EVP_MD* sha256 = EVP_MD_fetch(nullptr, "SHA2-256", nullptr);
  EVP_MD_CTX* hash = EVP_MD_CTX_new();
  std::array<std::uint8_t, kElementBytes> zeros{};
  std::array<std::uint16_t, kLanes> numbers{};

  Cipher() {
    COPPICE_ASSERT(cipher != nullptr && context != nullptr && sha256 != nullptr && hash != nullptr);
    COPPICE_ASSERT(EVP_EncryptInit_ex2(context, cipher, nullptr, nullptr, nullptr) == 1);
  }
  Cipher(const Cipher&) = delete;
  Cipher& operator=(const Cipher&) = delete;
  ~Cipher() {
    EVP_MD_CTX_free(hash);
    EVP_MD_free(sha256);
    EVP_CIPHER_CTX_free(context);
    EVP_CIPHER_free(cipher);
  }
};

ElementExpander::ElementExpander() : cipher_(std::make_unique<Cipher>()) {}
ElementExpander::~ElementExpander() = default;

std::span<const std::uint16_t, kLanes> ElementExpander::expand(const Digest& element) {
  constexpr std::array<std::uint8_t, 16> kFirstCounter{};
  int length = 0;
  COPPICE_ASSERT(EVP_EncryptInit_ex2(cipher_->context, nullptr, element.data(),
                                     kFirstCounter.data(), nullptr) == 1);
  COPPICE_ASSERT(EVP_EncryptUpdate(cipher_->context,
                                   reinterpret_cast<std::uint8_t*>(cipher_->numbers.data()),
                                   &length, cipher_->zeros.data(), kElementBytes) == 1);
  if constexpr (std::endian::native == std::endian::big) {
    for (std::uint16_t& number : cipher_->numbers) {
      number = static_cast<std::uint16_t>(number << 8 | number >> 8);
    }
  }
  return cipher_->numbers;
}

std::span<const std::uint16_t, kLanes> ElementExpander::expand_hash_of(std::string_view bytes) {
  Digest element;
  COPPICE_ASSERT(EVP_DigestInit_ex2(cipher_->hash, cipher_->sha256, nullptr) == 1);
  COPPICE_ASSERT(EVP_DigestUpdate(cipher_->hash, bytes.data(), bytes.size()) == 1);
  COPPICE_ASSERT(EVP_DigestFinal_ex(cipher_->hash, element.data(), nullptr) == 1);
  return expand(element);
}

LatticeSum::LatticeSum() : lanes_(kLanes), recent_(kLanes) {}

void LatticeSum::add(std::span<const std::uint16_t, kLanes> numbers) {
  std::uint32_t* const recent = recent_.data();
  for (std::size_t lane = 0; lane < kLanes; ++lane) recent[lane] += numbers[lane];
  ++count_;
  if (++recent_count_ == kMostRecent) settle();
}

void LatticeSum::add(const LatticeSum& other) {
  const std::vector<std::uint64_t> lanes = other.settled_lanes();
  for (std::size_t lane = 0; lane < kLanes; ++lane) lanes_[lane] += lanes[lane];
  count_ += other.count_;
}

void LatticeSum::subtract(const LatticeSum& other) {
  const std::vector<std::uint64_t> lanes = other.settled_lanes();
  for (std::size_t lane = 0; lane < kLanes; ++lane) lanes_[lane] -= lanes[lane];
  count_ -= other.count_;
}

Digest LatticeSum::digest() const {
  return FieldHash("coppice root 1 sum")
      .count(static_cast<std::uint64_t>(count_))
      .text(bytes())
      .finish();
}

bool LatticeSum::operator==(const LatticeSum& other) const {
  return count_ == other.count_ && settled_lanes() == other.settled_lanes();
}

std::string LatticeSum::bytes() const {
  std::string bytes;
  bytes.reserve(kLanes * sizeof(std::uint64_t));
  for (const std::uint64_t lane : settled_lanes()) append_count(bytes, lane);
  return bytes;
}

std::optional<LatticeSum> LatticeSum::from_bytes(std::int64_t count, std::string_view bytes) {
  constexpr std::size_t kLaneBytes = sizeof(std::uint64_t);
  if (bytes.size() != kLanes * kLaneBytes) return std::nullopt;
  LatticeSum sum;
  sum.count_ = count;
  for (std::size_t lane = 0; lane < kLanes; ++lane) {
    for (std::size_t byte = kLaneBytes; byte-- > 0;) {
      const auto value = static_cast<std::uint8_t>(bytes[lane * kLaneBytes + byte]);
      sum.lanes_[lane] = sum.lanes_[lane] << 8 | value;
    }
  }
  return sum;
}

void LatticeSum::settle() {
  lanes_ = settled_lanes();
  recent_.assign(kLanes, 0);
  recent_count_ = 0;
}

std::vector<std::uint64_t> LatticeSum::settled_lanes() const {
  std::vector<std::uint64_t> lanes = lanes_;
  for (std::size_t lane = 0; lane < kLanes; ++lane) lanes[lane] += recent_[lane];
  return lanes;
}

}  // namespace coppice
