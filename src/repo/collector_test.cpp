// Collecting garbage: what goes, what stays, and backups that run meanwhile.
#include "repo/collector.h"

#include <algorithm>
#include <cstdlib>
#include <map>
#include <nlohmann/json.hpp>
#include <random>
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

// Random histories against a map in memory: backups that take their time, forgetting, marks and
// sweeps, all mixed.
class History {
 public:
  explicit History(std::uint32_t seed) : random_(seed) {}

  void run(int steps) {
    for (int step = 0; step < steps && !testing::Test::HasFailure(); ++step) {
      switch (pick(6)) {
        case 0:
        case 1:
          begin();
          break;
        case 2:
          finish();
          break;
        case 3:
          forget_one();
          break;
        case 4:
          mark(test_.store);
          break;
        default:
          sweep(test_.store);
      }
      test_.clock.now += static_cast<std::int64_t>(pick(10)) * kHour;
      check();
    }
  }

 private:
  struct Running {
    std::unique_ptr<Repository> repository;
    std::unique_ptr<BlobWriter> writer;
    std::set<int> numbers;
    std::int64_t begun_us = 0;
  };

  int pick(int below) { return std::uniform_int_distribution<int>(0, below - 1)(random_); }

  void begin() {
    Running running;
    running.repository = std::make_unique<Repository>(Repository::open(test_.store, kKeyFile));
    running.repository->load_index();
    running.writer = std::make_unique<BlobWriter>(
        *running.repository,
        begin_backup(*running.repository,
                     {.pack_bytes = 400, .trust_for = std::chrono::seconds(0)}));
    const int from = pick(60);
    running.numbers = range(from, from + 1 + pick(25));
    for (const int number : running.numbers) running.writer->add(blob(number));
    if (pick(2) == 0) running.writer->flush();
    running.begun_us = test_.clock.now;
    running_.push_back(std::move(running));
  }

  void finish() {
    if (running_.empty()) return;
    const auto which = running_.begin() + pick(static_cast<int>(running_.size()));
    Running running = std::move(*which);
    running_.erase(which);
    json names = json::array();
    for (const int number : running.numbers) {
      names.push_back(running.repository->keys().blob_id(blob(number)).hex());
    }
    const BlobId tree = running.writer->add_tree(json{{"blobs", names}}.dump());
    try {
      const ObjectId id = commit(*running.repository, *running.writer,
                                 json{{"trees", {tree.hex()}}, {"blobs", running.numbers}}.dump());
      kept_[id] = running.numbers;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kConflict) << error.message();
      EXPECT_GE(test_.clock.now - running.begun_us, kDay) << "a quick backup failed";
    }
  }

  void forget_one() {
    if (kept_.empty()) return;
    const auto which = std::next(kept_.begin(), pick(static_cast<int>(kept_.size())));
    forget(test_.store, which->first);
    kept_.erase(which);
  }

  void check() {
    EXPECT_EQ(count(test_.store, "meta/backups/"), kept_.size());
    for (const auto& [id, numbers] : kept_) expect_restores(test_.store, id, numbers);
  }

  TestRepository test_;
  std::mt19937 random_;
  std::vector<Running> running_;
  std::map<ObjectId, std::set<int>> kept_;
};

TEST(Collector, RandomHistoriesLoseNothing) {
  const char* const given = std::getenv("COPPICE_TEST_SEED");
  const auto first = given != nullptr ? static_cast<std::uint32_t>(std::atoi(given)) : 1U;
  const bool all = std::getenv("COPPICE_TEST_LONG") != nullptr;
  const std::uint32_t seeds = given != nullptr ? 1 : all ? 10'000 : 40;
  for (std::uint32_t seed = first; seed < first + seeds; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    History(seed).run(60);
    if (testing::Test::HasFailure()) break;
  }
}

}  // namespace
}  // namespace coppice::repo
