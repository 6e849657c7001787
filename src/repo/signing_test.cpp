#include "repo/signing.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/hex.h"
#include "repo/repo_fixture.h"

namespace coppice::repo {
namespace {

// RFC 8032, section 7.1, test 2.
constexpr const char* kSeed = "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb";
constexpr const char* kPublic = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c";
constexpr const char* kSignature =
    "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
    "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00";

TEST(Signing, AgreesWithThePublishedVector) {
  const SigningKey key{Key(*from_hex(kSeed))};
  EXPECT_EQ(key.public_hex(), kPublic);
  EXPECT_EQ(key.sign_hex("\x72"), kSignature);
  EXPECT_TRUE(is_signed_by(kPublic, "\x72", kSignature));
}

TEST(Signing, EveryChangedBitIsNoticed) {
  const SigningKey key{Key(*from_hex(kSeed))};
  const std::string bytes = "a report";
  const std::string signature = key.sign_hex(bytes);
  for (std::size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
    std::string changed = bytes;
    changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ (1 << bit % 8));
    EXPECT_FALSE(is_signed_by(key.public_hex(), changed, signature)) << bit;
  }
  for (std::size_t bit = 0; bit < 8 * signature.size(); ++bit) {
    std::string changed = signature;
    changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ (1 << bit % 8));
    EXPECT_FALSE(is_signed_by(key.public_hex(), bytes, changed)) << bit;
  }
  EXPECT_FALSE(is_signed_by("", bytes, signature));
  EXPECT_FALSE(is_signed_by(kPublic, bytes, ""));
}

TEST(Signing, ARepositoryHasOneKeyForEver) {
  TestRepository test;
  EXPECT_TRUE(public_keys(test.repository).empty());
  const std::string made = signing_key(test.repository).public_hex();
  EXPECT_EQ(signing_key(test.repository).public_hex(), made);
  Repository again = Repository::open(test.store, kKeyFile);
  EXPECT_EQ(signing_key(again).public_hex(), made);
  EXPECT_EQ(public_keys(again), std::vector<std::string>{made});
}

TEST(Signing, KeysThatWereMadeAtTheSameTimeAreBothTheRepositorys) {
  TestRepository test;
  const std::string first = signing_key(test.repository).public_hex();
  test.repository.put_sealed(kSigningFolder, ObjectKind::kSigning, Key::random().view());
  const std::vector<std::string> keys = public_keys(test.repository);
  EXPECT_EQ(keys.size(), 2U);
  EXPECT_EQ(signing_key(test.repository).public_hex(), keys.front());
  EXPECT_TRUE(keys[0] == first || keys[1] == first);
}

TEST(Signing, TheSeedIsSealed) {
  TestRepository test;
  const SigningKey key = signing_key(test.repository);
  const Listing listing = list_repository(test.store);
  ASSERT_EQ(listing.signing.size(), 1U);
  const std::string name = object_name(kSigningFolder, listing.signing[0].id);
  const std::string bytes = test.store.get(name);
  EXPECT_EQ(bytes.substr(0, 8), "CPCESIGN");
  EXPECT_EQ(bytes.size(), kHeaderBytes + 32 + kTagBytes);
  std::string changed = bytes;
  changed.back() = static_cast<char>(changed.back() ^ 1);
  test.store.overwrite(name, changed);
  const Error error = thrown_by([&] { public_keys(test.repository); });
  EXPECT_EQ(error.code(), ErrorCode::kIntegrity);
  EXPECT_NE(error.message().find(name), std::string::npos) << error.message();
}

}  // namespace
}  // namespace coppice::repo
