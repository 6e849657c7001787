// Collecting garbage: what goes, what stays, and backups that run meanwhile.
#include "repo/collector.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "objects/testing/fault_stores.h"
#include "repo/check.h"
#include "repo/commit.h"
#include "repo/marks.h"
#include "repo/repo_fixture.h"

namespace coppice::repo {
namespace {

using nlohmann::json;

constexpr std::int64_t kHour = std::int64_t{3'600} * 1'000'000;
constexpr std::int64_t kDay = 24 * kHour;

std::string blob(int number) { return "blob " + std::to_string(number) + std::string(60, 'b'); }

// A backup of some blobs: a tree that names them, and a manifest.
ObjectId back_up(ObjectStore& store, const std::set<int>& numbers, WriterOptions options = {}) {
  Repository repository = Repository::open(store, kKeyFile);
  repository.load_index();
  options.pack_bytes = 500;
  BlobWriter writer(repository, begin_backup(repository, options));
  json names = json::array();
  for (const int number : numbers) names.push_back(writer.add(blob(number)).hex());
  const BlobId tree = writer.add_tree(json{{"blobs", names}}.dump());
  return commit(repository, writer, json{{"trees", {tree.hex()}}, {"blobs", numbers}}.dump());
}

void expect_restores(ObjectStore& store, const ObjectId& id, const std::set<int>& numbers) {
  Repository repository = Repository::open(store, kKeyFile);
  ASSERT_TRUE(repository.load_index().empty());
  EXPECT_EQ(json::parse(repository.read_manifest(id)).at("blobs").get<std::set<int>>(), numbers);
  for (const int number : numbers) {
    EXPECT_EQ(repository.read(repository.keys().blob_id(blob(number))), blob(number));
  }
}

CollectCounts mark(ObjectStore& store, CollectOptions options = {}) {
  Repository repository = Repository::open(store, kKeyFile);
  return mark_garbage(repository, options);
}

CollectCounts sweep(ObjectStore& store, CollectOptions options = {}) {
  Repository repository = Repository::open(store, kKeyFile);
  return sweep_garbage(repository, options);
}

std::size_t count(ObjectStore& store, const std::string& prefix) {
  std::size_t number = 0;
  store.list(prefix, [&](const ObjectInfo&) { ++number; });
  return number;
}

std::set<int> range(int from, int to) {
  std::set<int> numbers;
  for (int i = from; i < to; ++i) numbers.insert(i);
  return numbers;
}

void forget(ObjectStore& store, const ObjectId& id) {
  Repository::open(store, kKeyFile).remove_manifest(id);
}

TEST(Collector, WhatNothingReachesGoesAfterTheWait) {
  TestRepository test;
  const ObjectId first = back_up(test.store, range(0, 20));
  const ObjectId second = back_up(test.store, range(15, 40));
  const std::size_t packs = count(test.store, "packs/");
  forget(test.store, first);
  EXPECT_EQ(mark(test.store).marked_packs, 0u);  // they are too young
  test.clock.now += kDay;
  const CollectCounts marked = mark(test.store);
  EXPECT_GT(marked.marked_packs, 0u);
  EXPECT_EQ(sweep(test.store).removed_packs, 0u);
  EXPECT_GE(count(test.store, "packs/"), packs);
  test.clock.now += kDay;
  const CollectCounts swept = sweep(test.store);
  EXPECT_EQ(swept.removed_packs, marked.marked_packs);
  EXPECT_EQ(swept.kept_packs, 0u);
  EXPECT_LT(count(test.store, "packs/"), packs);
  EXPECT_EQ(count(test.store, "meta/garbage/"), 0u);
  EXPECT_EQ(count(test.store, "probes/"), 0u);
  expect_restores(test.store, second, range(15, 40));
  Repository repository = Repository::open(test.store, kKeyFile);
  repository.load_index();
  EXPECT_FALSE(repository.has(repository.keys().blob_id(blob(0))));
  EXPECT_EQ(mark(test.store).marked_packs, 0u);  // there is nothing more to do
}

TEST(Collector, ADryRunChangesNothing) {
  TestRepository test;
  forget(test.store, back_up(test.store, range(0, 20)));
  test.clock.now += kDay;
  const std::size_t objects = count(test.store, "");
  EXPECT_GT(mark(test.store, {.dry_run = true}).marked_packs, 0u);
  EXPECT_EQ(count(test.store, ""), objects);
  mark(test.store);
  test.clock.now += kDay;
  const std::size_t marked = count(test.store, "");
  EXPECT_EQ(sweep(test.store, {.dry_run = true}).removed_packs, 0u);
  EXPECT_EQ(count(test.store, ""), marked);
}

TEST(Collector, PacksOfNoIndexGoToo) {
  TestRepository test;
  const ObjectId kept = back_up(test.store, range(0, 5));
  PackBuilder builder(test.repository.keys());
  builder.add(encode_blob(test.repository.keys().blob_id(blob(99)), blob(99), false));
  const Pack orphan = builder.finish();
  test.store.put(pack_name(orphan.id), orphan.bytes);
  test.clock.now += kDay;
  EXPECT_EQ(mark(test.store).marked_packs, 1u);
  test.clock.now += kDay;
  EXPECT_EQ(sweep(test.store).removed_packs, 1u);
  EXPECT_FALSE(test.store.stat(pack_name(orphan.id)).has_value());
  expect_restores(test.store, kept, range(0, 5));
}

TEST(Collector, ABackupThatReliedOnMarkedPacksIsStillWhole) {
  TestRepository test;
  forget(test.store, back_up(test.store, range(0, 20)));
  test.clock.now += kDay;
  // Begins before the mark, ends after it.
  Repository repository = Repository::open(test.store, kKeyFile);
  repository.load_index();
  BlobWriter writer(repository, begin_backup(repository, {.pack_bytes = 500,
                                                          .marks_for = std::chrono::seconds(0)}));
  json names = json::array();
  for (const int number : range(0, 20)) names.push_back(writer.add(blob(number)).hex());
  const BlobId tree = writer.add_tree(json{{"blobs", names}}.dump());
  EXPECT_GT(mark(test.store).marked_packs, 0u);
  const ObjectId id =
      commit(repository, writer, json{{"trees", {tree.hex()}}, {"blobs", range(0, 20)}}.dump());
  test.clock.now += kDay;
  sweep(test.store);
  expect_restores(test.store, id, range(0, 20));
}

// What is carried out between reading the index and the marks must not be relied on.
TEST(Collector, ABackupThatBeginsDuringASweepIsWhole) {
  TestRepository test;
  forget(test.store, back_up(test.store, range(0, 20)));
  test.clock.now += kDay;
  mark(test.store);
  test.clock.now += kDay;
  Repository repository = Repository::open(test.store, kKeyFile);
  repository.load_index();
  EXPECT_GT(sweep(test.store).removed_packs, 0u);
  BlobWriter writer(repository, begin_backup(repository, {.pack_bytes = 500}));
  json names = json::array();
  for (const int number : range(0, 20)) names.push_back(writer.add(blob(number)).hex());
  const BlobId tree = writer.add_tree(json{{"blobs", names}}.dump());
  const ObjectId id =
      commit(repository, writer, json{{"trees", {tree.hex()}}, {"blobs", range(0, 20)}}.dump());
  expect_restores(test.store, id, range(0, 20));
}

TEST(Collector, ABackupThatTookLongerThanTheWaitIsStillWhole) {
  TestRepository test;
  forget(test.store, back_up(test.store, range(0, 20)));
  test.clock.now += kDay;
  Repository repository = Repository::open(test.store, kKeyFile);
  repository.load_index();
  BlobWriter writer(repository, begin_backup(repository, {.pack_bytes = 500,
                                                          .trust_for = std::chrono::seconds(0)}));
  json names = json::array();
  for (const int number : range(0, 25)) names.push_back(writer.add(blob(number)).hex());
  mark(test.store);
  test.clock.now += kDay;
  EXPECT_GT(sweep(test.store).removed_packs, 0u);
  const BlobId tree = writer.add_tree(json{{"blobs", names}}.dump());
  // What it relied on is gone, and it has not the bytes any more: it says so, and leaves no
  // manifest.
  const Error error = thrown_by([&] {
    commit(repository, writer, json{{"trees", {tree.hex()}}, {"blobs", range(0, 25)}}.dump());
  });
  EXPECT_EQ(error.code(), ErrorCode::kConflict) << error.message();
  EXPECT_EQ(count(test.store, "meta/backups/"), 0u);
  expect_restores(test.store, back_up(test.store, range(0, 25)), range(0, 25));
}

TEST(Collector, AMarkThatABackupOvertookRemovesNothingItNeeds) {
  TestRepository test;
  forget(test.store, back_up(test.store, range(0, 20)));
  test.clock.now += kDay;
  Repository repository = Repository::open(test.store, kKeyFile);
  repository.load_index();
  BlobWriter writer(repository, begin_backup(repository));
  json names = json::array();
  for (const int number : range(0, 20)) names.push_back(writer.add(blob(number)).hex());
  const BlobId tree = writer.add_tree(json{{"blobs", names}}.dump());
  writer.flush();
  // As if commit() had looked just before the mark.
  const ObjectId id =
      repository.put_manifest(json{{"trees", {tree.hex()}}, {"blobs", range(0, 20)}}.dump());
  forget(test.store, id);
  mark(test.store);
  const ObjectId again =
      repository.put_manifest(json{{"trees", {tree.hex()}}, {"blobs", range(0, 20)}}.dump());
  test.clock.now += kDay;
  EXPECT_GT(sweep(test.store).kept_packs, 0u);
  expect_restores(test.store, again, range(0, 20));
}

// A store in front of which, at the n-th call, something else happens.
class Interrupted final : public StoreInFront {
 public:
  Interrupted(ObjectStore& store, std::uint64_t n, std::function<void()> call)
      : StoreInFront(store), n_(n), call_(std::move(call)) {}
  bool reached() const { return reached_; }

 private:
  void before(std::uint64_t number, std::string_view, const std::string&) override {
    if (number != n_) return;
    reached_ = true;
    call_();
  }
  const std::uint64_t n_;
  const std::function<void()> call_;
  bool reached_ = false;
};

// Two sweeps at once, of which one carries out more marks, leave no index of packs that are gone:
// a writer would rely on them.
TEST(Collector, SweepsAtOnceLeaveNoIndexOfWhatIsGone) {
  std::uint64_t n = 1;
  for (bool reached = true; reached; ++n) {
    SCOPED_TRACE("call " + std::to_string(n));
    TestRepository test;
    const ObjectId first = back_up(test.store, range(0, 30));
    const ObjectId kept = back_up(test.store, range(0, 10));
    const auto packs_of = [&](const std::set<int>& numbers) {
      Repository repository = Repository::open(test.store, kKeyFile);
      repository.load_index();
      std::set<ObjectId> packs;
      for (const int number : numbers) {
        packs.insert(repository.index().find(repository.keys().blob_id(blob(number)))->pack->id);
      }
      return packs;
    };
    const std::set<ObjectId> one = packs_of({22}), other = packs_of({28});
    ASSERT_NE(one, other);
    forget(test.store, first);
    write_mark(test.repository, one);
    test.clock.now += kDay;
    write_mark(test.repository, other);
    test.clock.now += kHour;
    Interrupted store(test.store, n, [&] {
      EXPECT_EQ(sweep(test.store, {.wait = std::chrono::seconds(0)}).kept_packs, 0u);
    });
    sweep(store);
    reached = store.reached();
    const CheckReport report = check(Repository::open(test.store, kKeyFile));
    EXPECT_TRUE(report.intact()) << report.damages[0].object << ": " << report.damages[0].what;
    EXPECT_EQ(report.unindexed.size(), 0u);
    expect_restores(test.store, kept, range(0, 10));
    expect_restores(test.store, back_up(test.store, range(0, 30)), range(0, 30));
  }
  EXPECT_GT(n, 15u);
}

TEST(Collector, DamageStopsItBeforeAnythingIsLost) {
  for (const std::string folder : {"meta/index/", "meta/backups/", "packs/"}) {
    TestRepository test;
    back_up(test.store, range(0, 3));
    forget(test.store, back_up(test.store, range(10, 30)));
    test.clock.now += kDay;
    std::vector<std::string> names;
    test.store.list(folder, [&](const ObjectInfo& info) { names.push_back(info.name); });
    for (const std::string& name : names) {
      std::string bytes = test.store.get(name);
      bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 4);
      test.store.overwrite(name, bytes);
    }
    EXPECT_EQ(thrown_by([&] { mark(test.store); }).code(), ErrorCode::kIntegrity) << folder;
    EXPECT_EQ(count(test.store, "meta/garbage/"), 0u);
  }
}

TEST(Collector, WhateverCallFailsNoBackupIsLost) {
  std::uint64_t n = 1;
  for (bool reached = true; reached; ++n) {
    TestRepository test;
    const ObjectId kept = back_up(test.store, range(10, 25));
    forget(test.store, back_up(test.store, range(0, 20)));
    test.clock.now += kDay;
    FailingStore failing(test.store, n);
    try {
      mark(failing);
      test.clock.now += kDay;
      sweep(failing);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kUnavailable) << error.message();
    }
    reached = failing.reached();
    expect_restores(test.store, kept, range(10, 25));
    test.clock.now += kDay;
    mark(test.store);
    test.clock.now += kDay;
    sweep(test.store);
    expect_restores(test.store, kept, range(10, 25));
    expect_restores(test.store, back_up(test.store, range(0, 30)), range(0, 30));
  }
  EXPECT_GT(n, 15u);
}

// Its index and its manifest appear between a collection's reading of both.
TEST(Collector, ABackupThatEndsMeanwhileIsNoDamage) {
  std::uint64_t n = 1;
  for (bool reached = true; reached; ++n) {
    SCOPED_TRACE("call " + std::to_string(n));
    TestRepository test;
    forget(test.store, back_up(test.store, range(0, 20)));
    test.clock.now += kDay;
    std::optional<ObjectId> made;
    Interrupted store(test.store, n, [&] { made = back_up(test.store, range(30, 40)); });
    mark(store);
    test.clock.now += kDay;
    sweep(store);
    reached = store.reached();
    if (made) expect_restores(test.store, *made, range(30, 40));
  }
  EXPECT_GT(n, 15u);
}

// A pack that a mark names and a backup needs goes later: what it needs is copied, and nobody may
// rely on that pack meanwhile, for whom another sweep that runs now would not see.
TEST(Collector, WhatWasMarkedOnceIsNeverReliedOnAgain) {
  TestRepository test;
  const ObjectId kept = back_up(test.store, range(0, 10));
  test.repository.load_index();
  const BlobId wanted = test.repository.keys().blob_id(blob(1));
  const ObjectId pack = test.repository.index().find(wanted)->pack->id;
  write_mark(test.repository, {pack});
  test.clock.now += kDay;
  EXPECT_EQ(sweep(test.store).kept_packs, 1u);
  EXPECT_TRUE(test.store.stat(pack_name(pack)).has_value());
  Repository repository = Repository::open(test.store, kKeyFile);
  repository.load_index();
  EXPECT_EQ(begin_backup(repository).marked, std::set<ObjectId>{pack});
  EXPECT_EQ(sweep(test.store).removed_packs, 0u);  // who reads it now may go on
  test.clock.now += kDay;
  EXPECT_EQ(sweep(test.store).removed_packs, 1u);
  EXPECT_EQ(count(test.store, "meta/garbage/"), 0u);
  expect_restores(test.store, kept, range(0, 10));
}

// What is copied out of a pack that goes may never have been stored, whatever the store said.
TEST(Collector, WhatAStoreLostIsNoCopy) {
  for (const auto lie : {LyingStore::Lie::kLost, LyingStore::Lie::kTorn}) {
    TestRepository test;
    forget(test.store, back_up(test.store, range(0, 10)));
    const ObjectId kept = back_up(test.store, range(9, 10));
    test.clock.now += kDay;
    LyingStore lying(test.store, 2, lie);  // behind the probe: the copy
    EXPECT_GT(mark(lying).rewritten_bytes, 0u);
    test.clock.now += kDay;
    sweep(test.store);
    Repository repository = Repository::open(test.store, kKeyFile);
    repository.load_index();
    EXPECT_EQ(repository.read(repository.keys().blob_id(blob(9))), blob(9));
    expect_restores(test.store, kept, range(9, 10));
  }
}

TEST(Collector, ProbesOfClientsThatDiedGo) {
  TestRepository test;
  test.store.put("probes/0123", "");
  test.clock.now += kDay - 1;
  sweep(test.store);
  EXPECT_EQ(count(test.store, "probes/"), 1u);  // somebody may be about to look at it
  test.clock.now += 1;
  sweep(test.store, {.dry_run = true});
  EXPECT_EQ(count(test.store, "probes/"), 1u);
  sweep(test.store);
  EXPECT_EQ(count(test.store, "probes/"), 0u);
}

}  // namespace
}  // namespace coppice::repo
