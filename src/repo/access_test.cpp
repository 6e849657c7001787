#include "repo/access.h"

#include <nlohmann/json.hpp>

#include "base/base64.h"
#include "objects/testing/fault_stores.h"
#include "repo/repo_fixture.h"

namespace coppice::repo {
namespace {

using nlohmann::json;

std::string only_object(ObjectStore& store, const std::string& folder) {
  std::string name;
  store.list(folder, [&](const ObjectInfo& info) { name = info.name; });
  return name;
}

// The name of an epoch that the first access does not have in its own document.
std::string later_epoch(ObjectStore& store, const Clock& clock) {
  const std::string first = only_object(store, "meta/epochs/");
  Keys keys = open_access(store, kKeyFile);
  start_epoch(store, keys, clock);
  std::string later;
  store.list("meta/epochs/", [&](const ObjectInfo& info) {
    if (info.name != first) later = info.name;
  });
  return later;
}

TEST(Access, APassphraseOpensWhatItMade) {
  FakeClock clock;
  MemoryStore store(clock);
  const Keys made = create_access(store, kPassphrase, "first", clock);
  const Keys opened = open_access(store, kPassphrase);
  EXPECT_EQ(opened.blob_id("x"), made.blob_id("x"));
  EXPECT_EQ(opened.newest_epoch(), made.newest_epoch());
  EXPECT_EQ(opened.epoch(made.newest_epoch()).view(), made.epoch(made.newest_epoch()).view());
  const Secret wrong{Secret::Kind::kPassphrase, "correct horsf"};
  EXPECT_EQ(thrown_by([&] { open_access(store, wrong); }).code(), ErrorCode::kRefused);
  EXPECT_EQ(thrown_by([&] { open_access(store, kKeyFile); }).code(), ErrorCode::kRefused);
  EXPECT_EQ(list_accesses(store, opened).at(0).created_at, "2023-11-14T22:13:20Z");
}

TEST(Access, MoreAreAddedAndRemovedWithoutTouchingAnything) {
  FakeClock clock;
  MemoryStore store(clock);
  Keys made = create_access(store, kKeyFile, "first", clock);
  const std::string second = add_access(store, made, kPassphrase, "second", clock);
  Keys opened = open_access(store, kPassphrase);
  EXPECT_EQ(opened.blob_id("x"), made.blob_id("x"));
  EXPECT_EQ(list_accesses(store, opened).size(), 2u);

  remove_access(store, opened, second, clock);
  EXPECT_EQ(thrown_by([&] { open_access(store, kPassphrase); }).code(), ErrorCode::kRefused);
  EXPECT_EQ(thrown_by([&] { remove_access(store, made, second, clock); }).code(),
            ErrorCode::kNotFound);
  const std::string first = list_accesses(store, made).at(0).id;
  EXPECT_EQ(thrown_by([&] { remove_access(store, made, first, clock); }).code(),
            ErrorCode::kRefused);
  EXPECT_EQ(open_access(store, kKeyFile).blob_id("x"), made.blob_id("x"));
}

TEST(Access, WhoWasRemovedReadsNothingOfALaterEpoch) {
  FakeClock clock;
  MemoryStore store(clock);
  Keys keys = create_access(store, kKeyFile, "first", clock);
  const std::string removed = add_access(store, keys, kPassphrase, "second", clock);
  Keys theirs = open_access(store, kPassphrase);
  remove_access(store, keys, removed, clock);
  EXPECT_EQ(thrown_by([&] { theirs.epoch(keys.newest_epoch()); }).code(), ErrorCode::kIntegrity);
  const Keys again = open_access(store, kKeyFile);
  EXPECT_EQ(again.newest_epoch(), keys.newest_epoch());
  EXPECT_EQ(again.epoch(keys.newest_epoch()).view(), keys.epoch(keys.newest_epoch()).view());
  EXPECT_EQ(again.epoch(theirs.newest_epoch()).view(), theirs.epoch(theirs.newest_epoch()).view());
  EXPECT_NE(again.newest_epoch(), theirs.newest_epoch());
  // One that is added later has all of them.
  add_access(store, again, {Secret::Kind::kPassphrase, "third"}, "third", clock);
  const Keys third = open_access(store, {Secret::Kind::kPassphrase, "third"});
  EXPECT_EQ(third.newest_epoch(), keys.newest_epoch());
  EXPECT_EQ(third.epoch(theirs.newest_epoch()).view(), theirs.epoch(theirs.newest_epoch()).view());
}

// Whatever call fails, the others open it, and doing it again ends it: then a later epoch is closed
// to who was removed.
TEST(Access, ARemovalThatFailedIsDoneAgain) {
  std::uint64_t n = 1;
  for (bool reached = true; reached; ++n) {
    SCOPED_TRACE("call " + std::to_string(n));
    FakeClock clock;
    MemoryStore store(clock);
    Keys keys = create_access(store, kKeyFile, "first", clock);
    const Secret second{Secret::Kind::kKeyFile, std::string(40, 's')};
    const std::string removed = add_access(store, keys, second, "second", clock);
    const Keys theirs = open_access(store, second);
    FailingStore failing(store, n);
    try {
      remove_access(failing, keys, removed, clock);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kUnavailable) << error.message();
      Keys again = open_access(store, kKeyFile);
      remove_access(store, again, removed, clock);
    }
    reached = failing.reached();
    EXPECT_EQ(thrown_by([&] { open_access(store, second); }).code(), ErrorCode::kRefused);
    const Keys now = open_access(store, kKeyFile);
    EXPECT_EQ(thrown_by([&] { theirs.epoch(now.newest_epoch()); }).code(), ErrorCode::kIntegrity);
  }
  EXPECT_GT(n, 6u);
}

TEST(Access, SecretsThatAreTooWeakAreRefused) {
  FakeClock clock;
  MemoryStore store(clock);
  for (const Secret& secret :
       {Secret{Secret::Kind::kKeyFile, "short"}, Secret{Secret::Kind::kPassphrase, ""}}) {
    EXPECT_EQ(thrown_by([&] { create_access(store, secret, "", clock); }).code(),
              ErrorCode::kUsage);
  }
  EXPECT_EQ(only_object(store, ""), "");
}

TEST(Access, WhoCanOnlyWriteToTheStoreAddsNoReader) {
  FakeClock clock;
  MemoryStore store(clock), elsewhere(clock);
  const Keys keys = create_access(store, kKeyFile, "first", clock);
  create_access(elsewhere, kPassphrase, "stranger", clock);
  const std::string planted = only_object(elsewhere, "meta/keys/");
  store.put(planted, elsewhere.get(planted));
  const Error error = thrown_by([&] { list_accesses(store, keys); });
  EXPECT_EQ(error.code(), ErrorCode::kIntegrity);
  EXPECT_NE(error.message().find(planted), std::string::npos) << error.message();

  store.remove(planted);

  // An epoch that is said to be another than it was.
  const std::string epoch_name = later_epoch(store, clock);
  json epoch = json::parse(store.get(epoch_name));
  epoch["number"] = 99;
  store.overwrite(epoch_name, epoch.dump());
  EXPECT_EQ(thrown_by([&] { open_access(store, kKeyFile); }).code(), ErrorCode::kIntegrity);
}

// A whole set of documents that fits together, around the access's own private key: its holder must
// not begin to write with a key that somebody else has chosen.
TEST(Access, WhoCanOnlyWriteToTheStoreCannotPutOtherKeysInPlace) {
  FakeClock clock;
  MemoryStore store(clock), elsewhere(clock);
  create_access(store, kKeyFile, "first", clock);
  const Keys theirs = create_access(elsewhere, kKeyFile, "stranger", clock);
  const std::string name = only_object(store, "meta/keys/");
  store.remove(only_object(store, "meta/epochs/"));
  json document = json::parse(store.get(name));
  const std::string open_key = from_base64(document.at("public").get<std::string>()).value();
  for (const bool with_id_key : {true, false}) {
    std::string secrets = with_id_key ? std::string(theirs.id_key().view()) : "";
    secrets += theirs.epoch(theirs.newest_epoch()).view();
    document["sealed"] = {{to_hex(theirs.newest_epoch()),
                           {{"number", 9}, {"key", to_base64(seal_for(open_key, secrets))}}}};
    document.erase("mac");
    const Digest mac = hmac_sha256(theirs.id_key(), document.dump());
    document["mac"] = to_base64({reinterpret_cast<const char*>(mac.data()), mac.size()});
    store.overwrite(name, document.dump());
    EXPECT_EQ(thrown_by([&] { open_access(store, kKeyFile); }).code(), ErrorCode::kIntegrity);
  }
}

TEST(Access, EveryChangedByteOfItsDocumentsIsNoticed) {
  FakeClock clock;
  MemoryStore store(clock);
  const Keys keys = create_access(store, kKeyFile, "first", clock);
  for (const std::string& name : {only_object(store, "meta/keys/"), later_epoch(store, clock)}) {
    const std::string good = store.get(name);
    for (std::size_t i = 0; i < good.size(); ++i) {
      std::string changed = good;
      changed[i] = static_cast<char>(changed[i] ^ 1);
      store.overwrite(name, changed);
      try {
        // Blanks may change; nothing else is taken for what it was.
        EXPECT_EQ(open_access(store, kKeyFile).blob_id("x"), keys.blob_id("x"));
        EXPECT_EQ(json::parse(changed), json::parse(good)) << name << " byte " << i;
      } catch (const Error& error) {
        EXPECT_NE(error.message(), "");
      }
    }
    store.overwrite(name, good);
  }
  EXPECT_EQ(open_access(store, kKeyFile).blob_id("x"), keys.blob_id("x"));
}

}  // namespace
}  // namespace coppice::repo
