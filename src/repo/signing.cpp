#include "repo/signing.h"

#include <fmt/core.h>
#include <sodium.h>

#include <algorithm>

#include "base/error.h"
#include "base/hex.h"
#include "base/sha256.h"

namespace coppice::repo {
namespace {

constexpr std::size_t kSeedBytes = crypto_sign_SEEDBYTES;
static_assert(crypto_sign_SECRETKEYBYTES == 64 && kSeedBytes == 32);

const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

void start_sodium() {
  if (::sodium_init() < 0) throw Error(ErrorCode::kInternal, "libsodium does not start");
}

Key read_seed(const Repository& repository, const ObjectId& id) {
  const std::string seed = repository.get_sealed(kSigningFolder, ObjectKind::kSigning, id);
  if (seed.size() == kSeedBytes) return Key(seed);
  throw Error(ErrorCode::kIntegrity,
              fmt::format("{} is no key for signing", object_name(kSigningFolder, id)));
}

std::vector<ObjectId> listed_seeds(const Repository& repository) {
  std::vector<ObjectId> seeds;
  for (const ListedObject& object : list_repository(repository.store()).signing) {
    seeds.push_back(object.id);
  }
  std::sort(seeds.begin(), seeds.end());
  return seeds;
}

}  // namespace

SigningKey::SigningKey(const Key& seed) {
  start_sodium();
  std::string open(crypto_sign_PUBLICKEYBYTES, '\0');
  ::crypto_sign_seed_keypair(reinterpret_cast<unsigned char*>(open.data()), secret_.data(),
                             bytes_of(seed.view()));
  public_hex_ = to_hex(open);
}

SigningKey::~SigningKey() { ::sodium_memzero(secret_.data(), secret_.size()); }

std::string SigningKey::sign_hex(std::string_view bytes) const {
  std::string signature(crypto_sign_BYTES, '\0');
  ::crypto_sign_detached(reinterpret_cast<unsigned char*>(signature.data()), nullptr,
                         bytes_of(bytes), bytes.size(), secret_.data());
  return to_hex(signature);
}

SigningKey signing_key(Repository& repository) {
  std::vector<ObjectId> seeds = listed_seeds(repository);
  if (seeds.empty()) {
    repository.put_sealed(kSigningFolder, ObjectKind::kSigning, Key::random().view());
    seeds = listed_seeds(repository);  // somebody else may have made one
  }
  if (seeds.empty()) {
    throw Error(ErrorCode::kUnavailable,
                fmt::format("{} does not keep what is written to it", repository.store().place()));
  }
  return SigningKey(read_seed(repository, seeds.front()));
}

std::vector<std::string> public_keys(const Repository& repository) {
  std::vector<std::string> keys;
  for (const ObjectId& id : listed_seeds(repository)) {
    keys.push_back(SigningKey(read_seed(repository, id)).public_hex());
  }
  return keys;
}

bool is_signed_by(std::string_view public_hex, std::string_view bytes,
                  std::string_view signature_hex) {
  start_sodium();
  const auto open = from_hex(public_hex);
  const auto signature = from_hex(signature_hex);
  if (!open || open->size() != crypto_sign_PUBLICKEYBYTES) return false;
  if (!signature || signature->size() != crypto_sign_BYTES) return false;
  return ::crypto_sign_verify_detached(bytes_of(*signature), bytes_of(bytes), bytes.size(),
                                       bytes_of(*open)) == 0;
}

bool is_public_key(std::string_view text) {
  const auto bytes = from_hex(text);
  return bytes && bytes->size() == crypto_sign_PUBLICKEYBYTES;
}

}  // namespace coppice::repo
