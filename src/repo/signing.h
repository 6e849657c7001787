// Signing: the Ed25519 key of a repository, for what others are to trust without its other keys.
//
// Model    Its seed is a sealed object; the first who signs makes it. When two made one each at the
//          same time, both are the repository's, and the one with the smaller name signs.
// Units    Public keys have 32 bytes, signatures 64; as text, twice as many lower-case digits.
// Threads  A SigningKey is immutable; functions are safe from any thread.
// Errors   kIntegrity, naming the object, for a seed that is none; those of the store.
// Source   docs/formats/drill_report.md, "Keys"; RFC 8032
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "repo/repository.h"

namespace coppice::repo {

class SigningKey {
 public:
  explicit SigningKey(const Key& seed);
  ~SigningKey();
  SigningKey(const SigningKey&) = delete;
  SigningKey& operator=(const SigningKey&) = delete;

  const std::string& public_hex() const { return public_hex_; }
  std::string sign_hex(std::string_view bytes) const;

 private:
  std::array<unsigned char, 64> secret_{};
  std::string public_hex_;
};

// That of the repository; made when it has none.
SigningKey signing_key(Repository& repository);
// The public keys of the repository; none when nobody has signed.
std::vector<std::string> public_keys(const Repository& repository);

// False also for digits that are none.
bool is_signed_by(std::string_view public_hex, std::string_view bytes,
                  std::string_view signature_hex);
// 64 lower-case digits.
bool is_public_key(std::string_view text);

}  // namespace coppice::repo
