// What goes wrong with a repository: damage, failing calls, lies of the store.
#include <algorithm>
#include <functional>
#include <map>

#include "objects/testing/fault_stores.h"
#include "repo/repo_fixture.h"

namespace coppice::repo {
namespace {

std::string blob(int number) { return "blob " + std::to_string(number) + std::string(50, 'b'); }

// Writes a few packs and a manifest.
void back_up(ObjectStore& store, int from, int to) {
  Repository repository = Repository::open(store, kKeyFile);
  repository.load_index();
  BlobWriter writer(repository, {.pack_bytes = 300});
  for (int i = from; i < to; ++i) writer.add(blob(i));
  writer.flush();
  repository.put_manifest("{\"from\": " + std::to_string(from) + ", \"to\": " + std::to_string(to) +
                          "}");
}

// Every backup that has a manifest is there as a whole.
void expect_whole(ObjectStore& store, std::size_t least_manifests) {
  Repository repository = Repository::open(store, kKeyFile);
  EXPECT_TRUE(repository.load_index().empty());
  const std::vector<ManifestInfo> manifests = repository.list_manifests();
  EXPECT_GE(manifests.size(), least_manifests);
  for (const ManifestInfo& info : manifests) {
    int from = 0, to = 0;
    const std::string text = repository.read_manifest(info.id);
    ASSERT_EQ(std::sscanf(text.c_str(), "{\"from\": %d, \"to\": %d}", &from, &to), 2) << text;
    for (int i = from; i < to; ++i) {
      EXPECT_EQ(repository.read(repository.keys().blob_id(blob(i))), blob(i));
    }
  }
}

TEST(Faults, WhateverCallFailsNoBackupIsLostAndTheNextOneWorks) {
  std::uint64_t n = 1;
  for (bool reached = true; reached; ++n) {
    for (const bool and_after : {false, true}) {
      TestRepository test;
      back_up(test.store, 0, 10);
      FailingStore failing(test.store, n, and_after);
      try {
        back_up(failing, 5, 20);
        EXPECT_FALSE(failing.reached()) << "call " << n;
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::kUnavailable) << error.message();
      }
      reached = failing.reached();
      expect_whole(test.store, 1);
      back_up(test.store, 5, 20);
      expect_whole(test.store, 2);
    }
  }
  EXPECT_GT(n, 8u);
}

TEST(Faults, WhoseMakingFailedIsMadeAgain) {
  std::uint64_t n = 1;
  for (bool reached = true; reached; ++n) {
    FakeClock clock;
    MemoryStore store(clock);
    FailingStore failing(store, n, true);
    try {
      Repository::create(failing, kKeyFile, clock);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kUnavailable) << error.message();
    }
    reached = failing.reached();
    if (!store.stat("coppice-repository")) Repository::create(store, kKeyFile, clock);
    back_up(store, 0, 10);
    expect_whole(store, 1);
  }
  EXPECT_GT(n, 4u);
}

// A store in front of which, before the n-th put, somebody else makes a repository.
class OthersAreFaster final : public StoreInFront {
 public:
  OthersAreFaster(ObjectStore& store, std::uint64_t n, std::function<void()> call)
      : StoreInFront(store), n_(n), call_(std::move(call)) {}

 private:
  void before(std::uint64_t, std::string_view what, const std::string&) override {
    if (what == "put" && ++puts_ == n_) call_();
  }
  const std::uint64_t n_;
  std::uint64_t puts_ = 0;
  const std::function<void()> call_;
};

TEST(Faults, OfTwoWhoMakeItAtOnceOneDoes) {
  for (std::uint64_t n = 1; n <= 3; ++n) {
    SCOPED_TRACE("put " + std::to_string(n));
    FakeClock clock;
    MemoryStore store(clock);
    OthersAreFaster second(store, n, [&] { Repository::create(store, kKeyFile, clock); });
    EXPECT_EQ(thrown_by([&] { Repository::create(second, kKeyFile, clock); }).code(),
              ErrorCode::kConflict);
    back_up(store, 0, 10);
    expect_whole(store, 1);
  }
}

TEST(Faults, AnAnswerThatWasLostCostsNothing) {
  for (std::uint64_t n = 1; n <= 8; ++n) {
    TestRepository test;
    back_up(test.store, 0, 10);
    LostAnswerStore losing(test.store, n);
    try {
      back_up(losing, 5, 20);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kUnavailable) << error.message();
    }
    expect_whole(test.store, 1);
    back_up(test.store, 5, 20);
    expect_whole(test.store, 2);
  }
}

TEST(Faults, AFullDiskIsSaidAndLosesNothing) {
  for (std::uint64_t room = 0; room < 4'000; room += 250) {
    TestRepository test;
    back_up(test.store, 0, 10);
    FullStore full(test.store, room);
    try {
      back_up(full, 5, 20);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kDiskFull) << error.message();
    }
    expect_whole(test.store, 1);
    back_up(test.store, 5, 20);
    expect_whole(test.store, 2);
  }
}

TEST(Faults, WhatAStoreLiedAboutIsNoticedWhenItIsReadAndNamed) {
  for (const auto lie : {LyingStore::Lie::kTorn, LyingStore::Lie::kLost}) {
    TestRepository test;
    LyingStore lying(test.store, 1, lie);  // the first pack
    back_up(lying, 0, 10);
    Repository repository = Repository::open(test.store, kKeyFile);
    EXPECT_TRUE(repository.load_index().empty());
    int unreadable = 0;
    for (int i = 0; i < 10; ++i) {
      try {
        EXPECT_EQ(repository.read(repository.keys().blob_id(blob(i))), blob(i));
      } catch (const Error& error) {
        ++unreadable;
        EXPECT_NE(error.message().find("packs/"), std::string::npos) << error.message();
      }
    }
    EXPECT_GT(unreadable, 0);
    EXPECT_LT(unreadable, 10);
  }
}

// The most thorough: each bit of each object.
TEST(Faults, NoFlippedBitGivesWrongDataAndEachIsNamed) {
  TestRepository test;
  back_up(test.store, 0, 3);
  const BlobId wanted = test.repository.keys().blob_id(blob(1));
  std::map<std::string, std::string> objects;
  test.store.list("", [&](const ObjectInfo& info) {
    if (!info.name.starts_with("meta/keys/") && !info.name.starts_with("meta/epochs/")) {
      objects[info.name] = test.store.get(info.name);
    }
  });
  ASSERT_GE(objects.size(), 4u);
  for (const auto& [name, good] : objects) {
    bool noticed = false;
    for (std::size_t bit = 0; bit < 8 * good.size(); ++bit) {
      std::string changed = good;
      changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ (1 << bit % 8));
      test.store.overwrite(name, changed);
      std::string told;
      try {
        Repository repository = Repository::open(test.store, kKeyFile);
        for (const Damage& damage : repository.load_index()) told += damage.what;
        for (const ManifestInfo& info : repository.list_manifests()) {
          EXPECT_EQ(repository.read_manifest(info.id), "{\"from\": 0, \"to\": 3}");
        }
        EXPECT_EQ(repository.read(wanted), blob(1));
      } catch (const Error& error) {
        told += error.message();
      }
      noticed = noticed || !told.empty();
      if (!told.empty() && name != "coppice-repository" && !name.starts_with("meta/index/")) {
        EXPECT_NE(told.find(name), std::string::npos) << told;
      }
    }
    EXPECT_TRUE(noticed) << name;
    test.store.overwrite(name, good);
  }
}

TEST(Faults, CutShortAnywhereAPackIsNone) {
  TestRepository test;
  PackBuilder builder(test.repository.keys());
  for (int i = 0; i < 3; ++i) {
    builder.add(encode_blob(test.repository.keys().blob_id(blob(i)), blob(i), false));
  }
  const Pack pack = builder.finish();
  EXPECT_EQ(read_directory(test.repository.keys(), pack.bytes).size(), 3u);
  for (std::size_t size = 0; size < pack.bytes.size(); ++size) {
    EXPECT_EQ(thrown_by([&] {
                read_directory(test.repository.keys(),
                               std::string_view(pack.bytes).substr(0, size));
              }).code(),
              ErrorCode::kIntegrity);
  }
}

TEST(Faults, CutShortAnywhereAnIndexIsNone) {
  TestRepository test;
  PackBuilder builder(test.repository.keys());
  builder.add(encode_blob(test.repository.keys().blob_id(blob(1)), blob(1), false));
  IndexPart part;
  part.add(builder.finish());
  part.sort();
  const std::string bytes = part.encode(test.repository.keys());
  EXPECT_EQ(IndexPart::decode(test.repository.keys(), bytes).entry_count(), 1u);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_EQ(thrown_by([&] {
                IndexPart::decode(test.repository.keys(), std::string_view(bytes).substr(0, size));
              }).code(),
              ErrorCode::kIntegrity);
  }
}

}  // namespace
}  // namespace coppice::repo
