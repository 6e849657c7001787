// The cryptography of a repository: keys of 32 bytes, AES-256-GCM, HMAC, key derivation, sealed
// secrets. Everything is OpenSSL's or libsodium's.
//
// Threads  Functions are safe from any thread; an object belongs to one at a time.
// Errors   kIntegrity when a tag does not fit; kInternal when a library refuses.
// Source   docs/formats/repository.md, "Keys" and "Sealed objects"
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/sha256.h"

namespace coppice::repo {

// 32 secret bytes; overwritten when it is destroyed.
class Key {
 public:
  Key() = default;
  explicit Key(std::string_view bytes);
  Key(const Key&) = default;
  Key& operator=(const Key&) = default;
  ~Key();

  static Key random();
  std::string_view view() const {
    return {reinterpret_cast<const char*>(bytes_.data()), bytes_.size()};
  }

 private:
  std::array<std::uint8_t, 32> bytes_{};
};

Digest hmac_sha256(const Key& key, std::string_view bytes);
Key hkdf_sha256(std::string_view secret, std::string_view salt, std::string_view info);

inline constexpr std::size_t kNonceBytes = 12;
inline constexpr std::size_t kTagBytes = 16;

// AES-256-GCM under one key.
class Cipher {
 public:
  explicit Cipher(const Key& key);
  ~Cipher();
  Cipher(Cipher&&) noexcept;
  Cipher& operator=(Cipher&&) noexcept;

  // Appends ciphertext and tag. A nonce must never be used twice under a key.
  void seal(std::string_view nonce, std::string_view plain, std::string_view authenticated,
            std::string& out);
  // nullopt when the tag does not fit.
  std::optional<std::string> open(std::string_view nonce, std::string_view sealed,
                                  std::string_view authenticated);

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

// What makes a key of a passphrase.
struct Argon2 {
  std::uint64_t memory_bytes = std::uint64_t{64} << 20;
  std::uint64_t passes = 2;
  std::string salt;  // 16 bytes
};
inline constexpr std::size_t kArgon2SaltBytes = 16;
Key argon2id(const std::string& passphrase, const Argon2& how);

// X25519, of an access.
struct KeyPair {
  std::string open;  // the public key
  Key secret;
};
KeyPair make_key_pair();
std::string seal_for(const std::string& public_key, std::string_view bytes);
// nullopt when it was sealed for another pair, or damaged.
std::optional<std::string> open_sealed(const KeyPair& pair, std::string_view sealed);

}  // namespace coppice::repo
