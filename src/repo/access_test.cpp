#include "repo/access.h"

#include <nlohmann/json.hpp>

#include "repo/repo_fixture.h"

namespace coppice::repo {
namespace {

using nlohmann::json;

std::string only_object(ObjectStore& store, const std::string& folder) {
  std::string name;
  store.list(folder, [&](const ObjectInfo& info) { name = info.name; });
  return name;
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
  const Keys made = create_access(store, kKeyFile, "first", clock);
  const std::string second = add_access(store, made, kPassphrase, "second", clock);
  const Keys opened = open_access(store, kPassphrase);
  EXPECT_EQ(opened.blob_id("x"), made.blob_id("x"));
  EXPECT_EQ(list_accesses(store, opened).size(), 2u);

  remove_access(store, opened, second);
  EXPECT_EQ(thrown_by([&] { open_access(store, kPassphrase); }).code(), ErrorCode::kRefused);
  EXPECT_EQ(thrown_by([&] { remove_access(store, made, second); }).code(), ErrorCode::kNotFound);
  const std::string first = list_accesses(store, made).at(0).id;
  EXPECT_EQ(thrown_by([&] { remove_access(store, made, first); }).code(), ErrorCode::kRefused);
  EXPECT_EQ(open_access(store, kKeyFile).blob_id("x"), made.blob_id("x"));
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
  const std::string planted = only_object(elsewhere, "keys/");
  store.put(planted, elsewhere.get(planted));
  const Error error = thrown_by([&] { list_accesses(store, keys); });
  EXPECT_EQ(error.code(), ErrorCode::kIntegrity);
  EXPECT_NE(error.message().find(planted), std::string::npos) << error.message();

  store.remove(planted);

  // An epoch that is said to be another than it was.
  const std::string epoch_name = only_object(store, "epochs/");
  json epoch = json::parse(store.get(epoch_name));
  epoch["number"] = 99;
  store.overwrite(epoch_name, epoch.dump());
  EXPECT_EQ(thrown_by([&] { open_access(store, kKeyFile); }).code(), ErrorCode::kIntegrity);
}

TEST(Access, EveryChangedByteOfItsDocumentsIsNoticed) {
  FakeClock clock;
  MemoryStore store(clock);
  const Keys keys = create_access(store, kKeyFile, "first", clock);
  for (const char* const folder : {"keys/", "epochs/"}) {
    const std::string name = only_object(store, folder);
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
