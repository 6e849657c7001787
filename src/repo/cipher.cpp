#include "repo/cipher.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <sodium.h>

#include <cstring>

#include "base/clock.h"
#include "base/error.h"

namespace coppice::repo {
namespace {

const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}
unsigned char* bytes_of(std::string& text) { return reinterpret_cast<unsigned char*>(text.data()); }

void require(bool done, const char* what) {
  if (!done) throw Error(ErrorCode::kInternal, std::string("the cryptographic library: ") + what);
}

void start_sodium() { require(::sodium_init() >= 0, "libsodium does not start"); }

}  // namespace

Key::Key(std::string_view bytes) {
  COPPICE_ASSERT(bytes.size() == bytes_.size());
  std::memcpy(bytes_.data(), bytes.data(), bytes_.size());
}

Key::~Key() { OPENSSL_cleanse(bytes_.data(), bytes_.size()); }

Key Key::random() { return Key(random_bytes(32)); }

Digest hmac_sha256(const Key& key, std::string_view bytes) {
  Digest digest;
  unsigned int size = 0;
  const std::string_view secret = key.view();
  require(::HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()), bytes_of(bytes),
                 bytes.size(), digest.data(), &size) != nullptr,
          "HMAC");
  return digest;
}

Key hkdf_sha256(std::string_view secret, std::string_view salt, std::string_view info) {
  struct Free {
    void operator()(EVP_KDF* kdf) const { EVP_KDF_free(kdf); }
    void operator()(EVP_KDF_CTX* context) const { EVP_KDF_CTX_free(context); }
  };
  const std::unique_ptr<EVP_KDF, Free> kdf(EVP_KDF_fetch(nullptr, "HKDF", nullptr));
  const std::unique_ptr<EVP_KDF_CTX, Free> context(EVP_KDF_CTX_new(kdf.get()));
  const auto octets = [](const char* name, std::string_view value) {
    return OSSL_PARAM_construct_octet_string(name, const_cast<char*>(value.data()), value.size());
  };
  std::string hash = "SHA256";
  const std::array<OSSL_PARAM, 5> parameters = {
      OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, hash.data(), 0),
      octets(OSSL_KDF_PARAM_KEY, secret), octets(OSSL_KDF_PARAM_SALT, salt),
      octets(OSSL_KDF_PARAM_INFO, info), OSSL_PARAM_construct_end()};
  std::string out(32, '\0');
  const bool done =
      EVP_KDF_derive(context.get(), bytes_of(out), out.size(), parameters.data()) == 1;
  const Key key(out);
  OPENSSL_cleanse(out.data(), out.size());
  require(done, "HKDF");
  return key;
}

struct Cipher::Context {
  struct Free {
    void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
  };
  std::unique_ptr<EVP_CIPHER_CTX, Free> seal{EVP_CIPHER_CTX_new()};
  std::unique_ptr<EVP_CIPHER_CTX, Free> open{EVP_CIPHER_CTX_new()};
};

Cipher::Cipher(const Key& key) : context_(std::make_unique<Context>()) {
  const unsigned char* const secret = bytes_of(key.view());
  require(EVP_EncryptInit_ex(context_->seal.get(), EVP_aes_256_gcm(), nullptr, secret, nullptr) &&
              EVP_DecryptInit_ex(context_->open.get(), EVP_aes_256_gcm(), nullptr, secret, nullptr),
          "AES-256-GCM");
}
Cipher::~Cipher() = default;
Cipher::Cipher(Cipher&&) noexcept = default;
Cipher& Cipher::operator=(Cipher&&) noexcept = default;

void Cipher::seal(std::string_view nonce, std::string_view plain, std::string_view authenticated,
                  std::string& out) {
  COPPICE_ASSERT(nonce.size() == kNonceBytes);
  EVP_CIPHER_CTX* const context = context_->seal.get();
  const std::size_t begin = out.size();
  out.resize(begin + plain.size() + kTagBytes);
  unsigned char* const place = bytes_of(out) + begin;
  int count = 0;
  bool done = EVP_EncryptInit_ex(context, nullptr, nullptr, nullptr, bytes_of(nonce)) == 1 &&
              EVP_EncryptUpdate(context, nullptr, &count, bytes_of(authenticated),
                                static_cast<int>(authenticated.size())) == 1;
  if (!plain.empty()) {
    done = done && EVP_EncryptUpdate(context, place, &count, bytes_of(plain),
                                     static_cast<int>(plain.size())) == 1;
  }
  done = done && EVP_EncryptFinal_ex(context, place + plain.size(), &count) == 1 &&
         EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_GET_TAG, kTagBytes, place + plain.size()) == 1;
  require(done, "encryption");
}

std::optional<std::string> Cipher::open(std::string_view nonce, std::string_view sealed,
                                        std::string_view authenticated) {
  COPPICE_ASSERT(nonce.size() == kNonceBytes);
  if (sealed.size() < kTagBytes) return std::nullopt;
  EVP_CIPHER_CTX* const context = context_->open.get();
  std::string plain(sealed.size() - kTagBytes, '\0');
  std::string tag(sealed.substr(plain.size()));
  int count = 0;
  bool done = EVP_DecryptInit_ex(context, nullptr, nullptr, nullptr, bytes_of(nonce)) == 1 &&
              EVP_DecryptUpdate(context, nullptr, &count, bytes_of(authenticated),
                                static_cast<int>(authenticated.size())) == 1;
  if (!plain.empty()) {
    done = done && EVP_DecryptUpdate(context, bytes_of(plain), &count, bytes_of(sealed),
                                     static_cast<int>(plain.size())) == 1;
  }
  done = done && EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_SET_TAG, kTagBytes, tag.data()) == 1;
  require(done, "decryption");
  unsigned char rest = 0;
  if (EVP_DecryptFinal_ex(context, &rest, &count) != 1) return std::nullopt;
  return plain;
}

Key argon2id(const std::string& passphrase, const Argon2& how) {
  static_assert(kArgon2SaltBytes == crypto_pwhash_SALTBYTES);
  start_sodium();
  COPPICE_ASSERT(how.salt.size() == kArgon2SaltBytes);
  std::string out(32, '\0');
  const int failed = ::crypto_pwhash(bytes_of(out), out.size(), passphrase.data(),
                                     passphrase.size(), bytes_of(std::string_view(how.salt)),
                                     how.passes, how.memory_bytes, crypto_pwhash_ALG_ARGON2ID13);
  if (failed != 0) {
    throw Error(ErrorCode::kUnavailable, "no memory to make a key of the passphrase",
                "64 MiB are needed for a moment");
  }
  const Key key(out);
  OPENSSL_cleanse(out.data(), out.size());
  return key;
}

KeyPair make_key_pair() {
  start_sodium();
  std::string open(crypto_box_PUBLICKEYBYTES, '\0'), secret(crypto_box_SECRETKEYBYTES, '\0');
  require(::crypto_box_keypair(bytes_of(open), bytes_of(secret)) == 0, "a pair of keys");
  KeyPair pair{open, Key(secret)};
  OPENSSL_cleanse(secret.data(), secret.size());
  return pair;
}

std::string seal_for(const std::string& public_key, std::string_view bytes) {
  start_sodium();
  COPPICE_ASSERT(public_key.size() == crypto_box_PUBLICKEYBYTES);
  std::string sealed(bytes.size() + crypto_box_SEALBYTES, '\0');
  require(::crypto_box_seal(bytes_of(sealed), bytes_of(bytes), bytes.size(),
                            bytes_of(std::string_view(public_key))) == 0,
          "sealing a secret");
  return sealed;
}

std::optional<std::string> open_sealed(const KeyPair& pair, std::string_view sealed) {
  start_sodium();
  if (sealed.size() < crypto_box_SEALBYTES) return std::nullopt;
  std::string plain(sealed.size() - crypto_box_SEALBYTES, '\0');
  if (::crypto_box_seal_open(bytes_of(plain), bytes_of(sealed), sealed.size(),
                             bytes_of(std::string_view(pair.open)),
                             bytes_of(pair.secret.view())) != 0) {
    return std::nullopt;
  }
  return plain;
}

}  // namespace coppice::repo
