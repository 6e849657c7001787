// Copies: what goes over and what does not, with the same keys and with others; interrupted and
// repeated; beside collections, on both sides.
#include "repo/copy.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "objects/testing/fault_stores.h"
#include "repo/check.h"
#include "repo/collector.h"
#include "repo/commit.h"
#include "repo/marks.h"
#include "repo/reach.h"
#include "repo/tens_fixture.h"

namespace coppice::repo {
namespace {

const Secret kOtherKey{Secret::Kind::kKeyFile, std::string(32, 'o')};

struct CopyTest : testing::Test {
  FakeClock clock;
  TensRepository from{clock}, to{clock}, other{clock, kOtherKey};
  std::vector<ObjectId> backups;

  void SetUp() override {
    from.make();
    other.make();
    backups = {from.back_up({0, 10}), from.back_up({10, 20})};
  }
  void make_copy() { Repository::create_copy(to.store, from.open()); }
  static CopyCounts copy(TensRepository& source, TensRepository& target,
                         const std::vector<ObjectId>& ids, std::vector<ObjectId>* copied = {}) {
    Repository from = source.open(), to = target.open();
    Copier copier(from, to, {});
    for (const ObjectId& id : ids) {
      const ObjectId there = copier.copy(id);
      if (copied != nullptr) copied->push_back(there);
    }
    return copier.counts();
  }
  static void expect_intact(TensRepository& repository, std::size_t backups) {
    const CheckReport report = check(repository.open(), {.level = CheckOptions::Level::kData});
    EXPECT_TRUE(report.intact());
    EXPECT_EQ(report.manifests.size(), backups);
  }
};

TEST_F(CopyTest, HasTheSameObjectsUnderTheSameNames) {
  make_copy();
  copy(from, to, backups);
  for (const std::string folder : {"packs/", "meta/backups/", "meta/keys/", "meta/epochs/"}) {
    ASSERT_EQ(from.names(folder), to.names(folder)) << folder;
    for (const std::string& name : from.names(folder)) {
      EXPECT_EQ(from.store.get(name), to.store.get(name)) << name;
    }
  }
  EXPECT_NE(from.open().id(), to.open().id());
  EXPECT_EQ(to.blobs(backups[1]), blobs_of_tens({10, 20}));
  expect_intact(to, 2);
}

TEST_F(CopyTest, SendsOnlyWhatIsNew) {
  make_copy();
  const CopyCounts first = copy(from, to, {backups[0]});
  const CopyCounts second = copy(from, to, {backups[1]});
  EXPECT_EQ(first.packs + second.packs, from.names("packs/").size());
  EXPECT_EQ(copy(from, to, backups).packs, 0u);
  EXPECT_EQ(copy(from, to, backups).blobs, 0u);
}

TEST_F(CopyTest, NeedsTheWholeFolderOrWhatACallLeft) {
  Repository source = from.open();
  const std::string key = from.names("meta/keys/")[0];
  to.store.put(key, from.store.get(key));
  make_copy();  // goes on
  TensRepository third{clock};
  third.store.put("meta/keys/00000000000000000000000000000000", "somebody's");
  EXPECT_EQ(thrown_by([&] { Repository::create_copy(third.store, source); }).code(),
            ErrorCode::kRefused);
  EXPECT_EQ(thrown_by([&] { make_copy(); }).code(), ErrorCode::kAlreadyExists);
}

TEST_F(CopyTest, UnderOtherKeysSaysWhatItIsACopyOf) {
  std::vector<ObjectId> copied;
  const CopyCounts counts = copy(from, other, backups, &copied);
  EXPECT_EQ(counts.packs, 0u);
  EXPECT_NE(copied[0], backups[0]);
  EXPECT_EQ(other.blobs(copied[1]), blobs_of_tens({10, 20}));
  const std::string text = other.open().read_manifest(copied[0]);
  ASSERT_TRUE(origin_of(text));
  EXPECT_EQ(origin_of(text)->backup, backups[0]);
  EXPECT_EQ(origin_of(text)->repository, from.open().id());
  expect_intact(other, 2);
}

TEST_F(CopyTest, UnderOtherKeysReadsAgainOnlyWhatIsNew) {
  std::vector<ObjectId> copied;
  copy(from, other, {backups[0]}, &copied);
  Repository source = from.open(), target = other.open();
  Copier copier(source, target, {});
  copier.learn(backups[0], copied[0]);
  copier.copy(backups[1]);
  EXPECT_EQ(copier.counts().blobs, 12u);  // ten, their tree, the one above
}

TEST_F(CopyTest, AndBackAgainIsEqual) {
  std::vector<ObjectId> there, back;
  copy(from, other, backups, &there);
  copy(other, from, there, &back);
  // Not one blob was written.
  const auto text = [&](const ObjectId& id) {
    return nlohmann::json::parse(from.open().read_manifest(id))["trees"];
  };
  EXPECT_EQ(text(back[0]), text(backups[0]));
}

TEST_F(CopyTest, OfADamagedPackTakesWhatCanBeRead) {
  make_copy();
  // A blob of the pack is damaged: backups that need it are not copied, others are.
  const Repository source = from.open();
  const BlobId lost = source.keys().blob_id(blob_of_ten(0));
  const auto place = *source.index().find(lost);
  const std::string name = pack_name(place.pack->id);
  std::string bytes = from.store.get(name);
  bytes[place.entry->offset] ^= 1;
  from.store.overwrite(name, bytes);
  Repository opened = from.open(), target = to.open();
  Copier copier(opened, target, {});
  const Error error = thrown_by([&] { copier.copy(backups[0]); });
  EXPECT_EQ(error.code(), ErrorCode::kIntegrity);
  EXPECT_NE(error.message().find(name), std::string::npos);
  EXPECT_TRUE(to.names("meta/backups/").empty());
  copier.copy(backups[1]);
  expect_intact(to, 1);
}

TEST_F(CopyTest, EndedAtAnyCallIsGoneOnWith) {
  make_copy();
  for (std::uint64_t calls = 1;; ++calls) {
    FailingStore faulty(to.store, calls);
    bool done = false;
    try {
      Repository source = from.open();
      Repository target = Repository::open(faulty, kKeyFile);
      target.load_index();
      Copier copier(source, target, {});
      for (const ObjectId& id : backups) copier.copy(id);
      done = true;
    } catch (const Error&) {
    }
    const CheckReport report = check(to.open(), {.level = CheckOptions::Level::kData});
    ASSERT_TRUE(report.intact()) << calls;
    if (done) break;
  }
  copy(from, to, backups);
  expect_intact(to, 2);
  EXPECT_EQ(to.names("packs/"), from.names("packs/"));
}

TEST_F(CopyTest, DoesNotRelyOnWhatIsMarkedThere) {
  make_copy();
  copy(from, to, {backups[0]});
  Repository target = to.open();
  target.remove_manifest(backups[0]);
  clock.now += 3'600'000'000;
  mark_garbage(target, {.wait = std::chrono::seconds(1)});
  copy(from, to, backups);
  clock.now += 90'000'000'000;
  Repository again = to.open();
  sweep_garbage(again, {});
  expect_intact(to, 2);
}

TEST_F(CopyTest, ForgettingInOneLeavesTheOther) {
  make_copy();
  copy(from, to, backups);
  Repository source = from.open();
  for (const ObjectId& id : backups) source.remove_manifest(id);
  clock.now += 90'000'000'000;
  mark_garbage(source, {});
  clock.now += 90'000'000'000;
  sweep_garbage(source, {});
  EXPECT_TRUE(from.names("packs/").empty());
  expect_intact(to, 2);
}

TEST_F(CopyTest, TakesEpochsForItsOwnAccessesAndWritesInOneOfItsOwn) {
  make_copy();
  const Secret mine{Secret::Kind::kKeyFile, std::string(32, 'm')};
  add_access(to.store, to.open().keys(), mine, "mine", clock);
  Keys keys = from.open().keys();
  start_epoch(from.store, keys, clock);
  const ObjectId later = from.back_up({30});
  EXPECT_TRUE(take_epochs(to.store, to.open().keys(), from.store, from.open().keys(), clock));
  EXPECT_FALSE(take_epochs(to.store, to.open().keys(), from.store, from.open().keys(), clock));
  EXPECT_NE(to.open().keys().newest_epoch(), from.open().keys().newest_epoch());
  EXPECT_FALSE(from.open().keys().knows_epoch(to.open().keys().newest_epoch()));
  copy(from, to, {later});
  TensRepository as_me{clock, mine};
  Repository opened = Repository::open(to.store, mine);
  opened.load_index();
  Walk(opened, [](const BlobId&) {}).manifest(later);
}

}  // namespace
}  // namespace coppice::repo
