#include "repo/cipher.h"

#include <gtest/gtest.h>

#include "base/clock.h"
#include "base/hex.h"
#include "repo/compression.h"

namespace coppice::repo {
namespace {

std::string hex(std::string_view digits) { return from_hex(digits).value(); }

TEST(Cipher, IsAes256GcmOfItsSpecification) {
  // McGrew and Viega, "The Galois/Counter Mode of Operation", test case 16.
  Cipher cipher(Key(hex("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308")));
  const std::string plain =
      hex("d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
          "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39");
  const std::string along = hex("feedfacedeadbeeffeedfacedeadbeefabaddad2");
  std::string sealed;
  cipher.seal(hex("cafebabefacedbaddecaf888"), plain, along, sealed);
  EXPECT_EQ(to_hex(sealed),
            "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
            "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
            "76fc6ece0f4e1768cddf8853bb2d551b");
  EXPECT_EQ(cipher.open(hex("cafebabefacedbaddecaf888"), sealed, along), plain);
}

TEST(Cipher, OpensNothingThatWasChanged) {
  Cipher cipher(Key::random());
  const std::string nonce(kNonceBytes, '\1');
  std::string sealed;
  cipher.seal(nonce, "some text", "along", sealed);
  for (std::size_t bit = 0; bit < 8 * sealed.size(); ++bit) {
    std::string changed = sealed;
    changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ (1 << bit % 8));
    EXPECT_EQ(cipher.open(nonce, changed, "along"), std::nullopt) << bit;
  }
  for (std::size_t size = 0; size < sealed.size(); ++size) {
    EXPECT_EQ(cipher.open(nonce, sealed.substr(0, size), "along"), std::nullopt) << size;
  }
  EXPECT_EQ(cipher.open(nonce, sealed, "other"), std::nullopt);
  EXPECT_EQ(cipher.open(std::string(kNonceBytes, '\2'), sealed, "along"), std::nullopt);
  EXPECT_EQ(Cipher(Key::random()).open(nonce, sealed, "along"), std::nullopt);
  EXPECT_EQ(cipher.open(nonce, sealed, "along"), "some text");
}

TEST(Cipher, SealsNothing) {
  Cipher cipher(Key::random());
  const std::string nonce(kNonceBytes, '\0');
  std::string sealed;
  cipher.seal(nonce, "", "", sealed);
  EXPECT_EQ(sealed.size(), kTagBytes);
  EXPECT_EQ(cipher.open(nonce, sealed, ""), "");
}

TEST(Derivation, HkdfIsThatOfRfc5869) {
  // Appendix A.1; the first 32 bytes of its output.
  const Key key = hkdf_sha256(hex("0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b"),
                              hex("000102030405060708090a0b0c"), hex("f0f1f2f3f4f5f6f7f8f9"));
  EXPECT_EQ(to_hex(key.view()), "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf");
}

TEST(Derivation, HmacIsThatOfRfc4231) {
  // Test case 1, whose key of 20 bytes is one of 32 with zeros behind it.
  const Key key(hex("0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b000000000000000000000000"));
  EXPECT_EQ(to_hex(hmac_sha256(key, "Hi There")),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
}

TEST(Derivation, ArgonDependsOnAllItIsGiven) {
  const Argon2 how{.memory_bytes = 1 << 20, .passes = 1, .salt = std::string(16, 's')};
  const Key key = argon2id("passphrase", how);
  EXPECT_EQ(key.view(), argon2id("passphrase", how).view());
  EXPECT_NE(key.view(), argon2id("passphrasf", how).view());
  Argon2 other = how;
  other.salt[0] = 't';
  EXPECT_NE(key.view(), argon2id("passphrase", other).view());
  other = how;
  other.passes = 2;
  EXPECT_NE(key.view(), argon2id("passphrase", other).view());
}

TEST(SealedSecrets, OpenForTheirAccessOnly) {
  const KeyPair pair = make_key_pair(), other = make_key_pair();
  const std::string sealed = seal_for(pair.open, "secret");
  EXPECT_EQ(open_sealed(pair, sealed), "secret");
  EXPECT_EQ(open_sealed(other, sealed), std::nullopt);
  EXPECT_EQ(open_sealed(pair, sealed.substr(1)), std::nullopt);
  EXPECT_EQ(open_sealed(pair, ""), std::nullopt);
}

TEST(Compression, IsUsedWhereItPays) {
  const std::string text(100'000, 'x');
  const auto smaller = compressed(text);
  ASSERT_TRUE(smaller.has_value());
  EXPECT_LT(smaller->size(), 1000u);
  EXPECT_EQ(decompressed(*smaller, text.size()), text);
  EXPECT_EQ(compressed(random_bytes(1'000)), std::nullopt);
  EXPECT_EQ(compressed(random_bytes(1 << 20)), std::nullopt);
  EXPECT_EQ(compressed("short"), std::nullopt);
  EXPECT_THROW(decompressed(*smaller, text.size() + 1), std::exception);
  EXPECT_THROW(decompressed("no zstd", 100), std::exception);
}

}  // namespace
}  // namespace coppice::repo
