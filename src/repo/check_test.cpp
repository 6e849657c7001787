// Each kind of damage: what a check finds, which backups it says are affected, and what is
// repaired.
#include "repo/check.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <random>

#include "objects/testing/fault_stores.h"
#include "repo/collector.h"
#include "repo/commit.h"
#include "repo/index_repair.h"
#include "repo/marks.h"
#include "repo/reach.h"
#include "repo/repo_fixture.h"

namespace coppice::repo {
namespace {

using nlohmann::json;
using Level = CheckOptions::Level;

std::string blob(int number) { return "blob " + std::to_string(number) + std::string(60, 'b'); }

std::vector<std::string> names_of(ObjectStore& store, const std::string& folder) {
  std::vector<std::string> names;
  store.list(folder, [&](const ObjectInfo& info) { names.push_back(info.name); });
  std::sort(names.begin(), names.end());
  return names;
}

// Two backups: blobs 0 to 19, and 10 to 29; a tree for each ten of them, under one for the backup.
struct CheckTest : testing::Test {
  TestRepository test;
  std::vector<ObjectId> backups;

  void SetUp() override {
    backups = {back_up({0, 10}), back_up({10, 20})};
    ASSERT_EQ(names_of(test.store, "meta/index/").size(), 2u);
  }
  ObjectId back_up(const std::vector<int>& tens) {
    Repository repository = Repository::open(test.store, kKeyFile);
    repository.load_index();
    BlobWriter writer(repository, begin_backup(repository, {.pack_bytes = 400}));
    json trees = json::array();
    for (const int ten : tens) {
      json names = json::array();
      for (int i = ten; i < ten + 10; ++i) names.push_back(writer.add(blob(i)).hex());
      trees.push_back(writer.add_tree(json{{"blobs", names}}.dump()).hex());
    }
    const BlobId root = writer.add_tree(json{{"trees", trees}}.dump());
    test.clock.now += 1'000'000;
    return commit(repository, writer, json{{"trees", {root.hex()}}, {"tens", tens}}.dump());
  }
  Repository open() { return Repository::open(test.store, kKeyFile); }
  CheckReport checked(Level level, ObjectStore& store) {
    return check(Repository::open(store, kKeyFile), {.level = level});
  }
  CheckReport checked(Level level) { return checked(level, test.store); }

  // Whether everything of a backup can be read, by reading it.
  bool restores(const ObjectId& backup) {
    try {
      Repository repository = open();
      repository.load_index();
      Walk(repository, [&](const BlobId& id) { repository.read(id); }).manifest(backup);
      return true;
    } catch (const Error&) {
      return false;
    }
  }
  // The pack of a blob.
  std::string pack_of(const BlobId& id) {
    Repository repository = open();
    repository.load_index();
    return pack_name(repository.index().find(id).value().pack->id);
  }
  BlobId id_of(int number) { return test.repository.keys().blob_id(blob(number)); }
  void flip(const std::string& name, std::size_t at) {
    std::string bytes = test.store.get(name);
    bytes.at(at) = static_cast<char>(bytes.at(at) ^ 16);
    test.store.overwrite(name, bytes);
  }
  std::vector<bool> affected(const CheckReport& report) {
    std::vector<bool> result;
    for (const ObjectId& id : backups) {
      const auto found = std::find_if(report.manifests.begin(), report.manifests.end(),
                                      [&](const CheckedManifest& each) { return each.id == id; });
      EXPECT_NE(found, report.manifests.end());
      result.push_back(found != report.manifests.end() && found->affected);
    }
    return result;
  }
  static bool names(const CheckReport& report, const std::string& object) {
    return std::any_of(report.damages.begin(), report.damages.end(), [&](const Damage& damage) {
      return damage.object == object || damage.what.find(object) != std::string::npos;
    });
  }
};

TEST_F(CheckTest, FindsNothingWhereNothingIsWrong) {
  for (const Level level : {Level::kStructure, Level::kData}) {
    const CheckReport report = checked(level);
    EXPECT_TRUE(report.intact()) << report.damages[0].object << report.damages[0].what;
    EXPECT_EQ(affected(report), (std::vector<bool>{false, false}));
    EXPECT_EQ(report.manifests.at(0).id, backups[0]);
    EXPECT_EQ(report.indexes, 2u);
    EXPECT_EQ(report.packs, names_of(test.store, "packs/").size());
    EXPECT_EQ(report.trees, 5u);
    EXPECT_EQ(report.packs_read, level == Level::kData ? report.packs : 0);
    EXPECT_EQ(report.blobs_read, level == Level::kData ? 35 : 0);
  }
}

TEST_F(CheckTest, WhatIsNoPartOfABackupIsReadToo) {
  Repository repository = open();
  const std::string seed = object_name(
      kSigningFolder,
      repository.put_sealed(kSigningFolder, ObjectKind::kSigning, std::string(32, 's')));
  const std::string drill =
      object_name(kDrillFolder, repository.put_sealed(kDrillFolder, ObjectKind::kDrill, "{}"));
  EXPECT_TRUE(checked(Level::kData).intact());
  for (const std::string& name : {seed, drill}) flip(name, kHeaderBytes);
  EXPECT_TRUE(checked(Level::kStructure).intact());
  const CheckReport report = checked(Level::kData);
  EXPECT_EQ(report.damages.size(), 2u);
  EXPECT_TRUE(names(report, seed) && names(report, drill));
  EXPECT_EQ(affected(report), (std::vector<bool>{false, false}));
}

TEST_F(CheckTest, ABlobThatWasChangedIsFoundByReadingItAndCostsItself) {
  const std::string pack = pack_of(id_of(3));
  Repository repository = open();
  repository.load_index();
  flip(pack, repository.index().find(id_of(3)).value().entry->offset + 5);
  EXPECT_TRUE(checked(Level::kStructure).intact());
  const CheckReport report = checked(Level::kData);
  ASSERT_EQ(report.damages.size(), 1u);
  EXPECT_EQ(report.damages[0].object, pack);
  EXPECT_EQ(report.damages[0].blobs, std::vector{id_of(3)});
  EXPECT_EQ(affected(report), (std::vector<bool>{true, false}));
}

TEST_F(CheckTest, APackThatIsMissingIsFound) {
  const std::string pack = pack_of(id_of(25));
  test.store.remove(pack);
  for (const Level level : {Level::kStructure, Level::kData}) {
    const CheckReport report = checked(level);
    ASSERT_EQ(report.damages.size(), 1u);
    EXPECT_EQ(report.damages[0].object, pack);
    const std::vector<BlobId>& lost = report.damages[0].blobs;
    EXPECT_NE(std::find(lost.begin(), lost.end(), id_of(25)), lost.end());
    EXPECT_EQ(affected(report), (std::vector<bool>{false, true}));
  }
}

TEST_F(CheckTest, APackThatWasCutShortLosesItsEnd) {
  const std::string pack = pack_of(id_of(12));
  const std::string bytes = test.store.get(pack);
  test.store.overwrite(pack, bytes.substr(0, bytes.size() - 1));
  // All blobs of it are there: only its directory is not.
  const CheckReport whole = checked(Level::kData);
  ASSERT_EQ(whole.damages.size(), 1u);
  EXPECT_TRUE(whole.damages[0].blobs.empty());
  EXPECT_EQ(affected(whole), (std::vector<bool>{false, false}));
  test.store.overwrite(pack, bytes.substr(0, 100));
  const CheckReport cut = checked(Level::kStructure);
  ASSERT_EQ(cut.damages.size(), 1u);
  EXPECT_NE(cut.damages[0].what.find("100 bytes"), std::string::npos) << cut.damages[0].what;
  EXPECT_FALSE(cut.damages[0].blobs.empty());
  EXPECT_EQ(affected(cut), (std::vector<bool>{true, true}));
}

TEST_F(CheckTest, AManifestThatWasChangedIsNamed) {
  const std::string name = object_name(kBackupFolder, backups[0]);
  flip(name, 70);
  const CheckReport report = checked(Level::kStructure);
  ASSERT_EQ(report.damages.size(), 1u);
  EXPECT_EQ(report.damages[0].object, name);
  EXPECT_EQ(affected(report), (std::vector<bool>{true, false}));
}

TEST_F(CheckTest, WhatNoIndexNamesIsFoundByItsTree) {
  const std::string name = names_of(test.store, "meta/index/").at(0);
  test.store.remove(name);
  const CheckReport report = checked(Level::kStructure);
  EXPECT_FALSE(report.intact());
  EXPECT_FALSE(report.unindexed.empty());
  for (std::size_t i = 0; i < 2; ++i) EXPECT_EQ(affected(report)[i], !restores(backups[i]));
}

TEST_F(CheckTest, ATreeOrManifestThatIsNoneIsSaid) {
  Repository repository = open();
  repository.load_index();
  BlobWriter writer(repository);
  const BlobId odd = writer.add_tree("[1, 2]");
  const BlobId stranger = repository.keys().blob_id("never written");
  const BlobId wanting = writer.add_tree(json{{"blobs", {stranger.hex()}}}.dump());
  writer.flush();
  backups.push_back(repository.put_manifest(json{{"trees", {odd.hex()}}}.dump()));
  backups.push_back(repository.put_manifest(json{{"trees", {wanting.hex()}}}.dump()));
  backups.push_back(repository.put_manifest("no JSON"));
  backups.push_back(repository.put_manifest(json{{"trees", {stranger.hex()}}}.dump()));
  const CheckReport report = checked(Level::kData);
  EXPECT_EQ(report.damages.size(), 4u);
  EXPECT_TRUE(names(report, odd.hex()));
  EXPECT_TRUE(names(report, object_name(kBackupFolder, backups[4])));
  EXPECT_TRUE(std::any_of(report.damages.begin(), report.damages.end(), [&](const Damage& damage) {
    return damage.blobs == std::vector{stranger} && damage.object.ends_with(wanting.hex());
  }));
  EXPECT_EQ(affected(report), (std::vector<bool>{false, false, true, true, true, true}));
}

TEST_F(CheckTest, ABlobThatAnotherPackHasIsNotLost) {
  Repository repository = open();
  BlobWriter writer(repository);  // knows nothing of what is there
  writer.add(blob(3));
  writer.flush();
  test.store.remove(pack_of(id_of(3)));
  const CheckReport report = checked(Level::kStructure);
  EXPECT_EQ(report.damages.size(), 1u);
  EXPECT_EQ(affected(report), (std::vector<bool>{!restores(backups[0]), !restores(backups[1])}));
}

// The most thorough: whatever byte is changed, what is said of the backups is what reading them
// shows, and the object is named.
TEST_F(CheckTest, SaysOfEachChangedByteWhatReadingShows) {
  std::mt19937 random(7);
  int affecting = 0;
  for (const std::string& name : names_of(test.store, "")) {
    if (!name.starts_with("packs/") && !name.starts_with("meta/index/") &&
        !name.starts_with("meta/backups/")) {
      continue;
    }
    const std::string good = test.store.get(name);
    for (int i = 0; i < 12; ++i) {
      flip(name, random() % good.size());
      const CheckReport report = checked(Level::kData);
      EXPECT_FALSE(report.intact()) << name;
      EXPECT_TRUE(names(report, name)) << name;
      for (std::size_t each = 0; each < backups.size(); ++each) {
        EXPECT_EQ(affected(report)[each], !restores(backups[each])) << name;
        affecting += affected(report)[each] ? 1 : 0;
      }
      test.store.overwrite(name, good);
    }
  }
  EXPECT_GT(affecting, 50);
}

TEST_F(CheckTest, PartsReadEverythingBetweenThemAndSharesAPart) {
  std::uint64_t packs = 0, blobs = 0;
  for (std::uint32_t part = 0; part < 3; ++part) {
    const CheckReport report =
        check(open(), {.level = Level::kData, .part = part, .part_count = 3});
    packs += report.packs_read;
    blobs += report.blobs_read;
    EXPECT_LT(report.packs_read, report.packs);
  }
  EXPECT_EQ(packs, names_of(test.store, "packs/").size());
  EXPECT_EQ(blobs, 35u);
  EXPECT_EQ(check(open(), {.level = Level::kData, .share = 0.0}).packs_read, 0u);
  std::uint64_t read = 0;
  for (int i = 0; i < 40; ++i) {
    read += check(open(), {.level = Level::kData, .share = 0.5}).packs_read;
  }
  EXPECT_GT(read, 40 * packs / 4);
  EXPECT_LT(read, 40 * packs * 3 / 4);
}

TEST_F(CheckTest, TellsHowFarItIs) {
  std::uint64_t last = 0, all = 0, calls = 0;
  check(open(), {.level = Level::kData, .progress = [&](std::uint64_t done, std::uint64_t of) {
                   EXPECT_GT(done, last);
                   last = done;
                   all = of;
                   ++calls;
                 }});
  EXPECT_EQ(last, all);
  EXPECT_EQ(calls, names_of(test.store, "packs/").size());
}

TEST_F(CheckTest, AStoreThatFailsIsNoDamage) {
  std::uint64_t n = 1;
  for (bool reached = true; reached; ++n) {
    FailingStore failing(test.store, n, true);
    try {
      EXPECT_TRUE(checked(Level::kData, failing).intact());
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kUnavailable);
    }
    reached = failing.reached();
  }
  EXPECT_GT(n, 15u);
}

TEST_F(CheckTest, WhatIsCollectedMeanwhileIsNoDamage) {
  open().remove_manifest(backups[0]);
  backups.erase(backups.begin());
  const CollectOptions at_once{.wait = std::chrono::seconds(0)};
  {
    Repository repository = open();
    mark_garbage(repository, at_once);
  }
  // Sweeps at the n-th call.
  class Sweeping final : public StoreInFront {
   public:
    Sweeping(ObjectStore& store, std::uint64_t n, const CollectOptions& options)
        : StoreInFront(store), n_(n), options_(options) {}
    bool swept = false;

   private:
    void before(std::uint64_t number, std::string_view, const std::string&) override {
      if (number != n_) return;
      Repository repository = Repository::open(behind_, kKeyFile);
      swept = sweep_garbage(repository, options_).removed_packs > 0;
    }
    const std::uint64_t n_;
    const CollectOptions options_;
  };
  const auto everything = [&] {
    std::map<std::string, std::string> objects;
    for (const std::string& name : names_of(test.store, "")) objects[name] = test.store.get(name);
    return objects;
  }();
  for (std::uint64_t n = 4; n < 20; ++n) {
    Sweeping store(test.store, n, at_once);
    const CheckReport report = check(Repository::open(store, kKeyFile),
                                     {.level = Level::kData, .parallel = {.threads = 1}});
    EXPECT_TRUE(report.intact()) << n << ": " << report.damages[0].object << " "
                                 << report.damages[0].what;
    EXPECT_TRUE(store.swept || n > 15) << n;
    for (const std::string& name : names_of(test.store, "")) test.store.remove(name);
    for (const auto& [name, bytes] : everything) test.store.put(name, bytes);
  }
}

TEST_F(CheckTest, AnIndexIsMadeAgainFromThePacks) {
  for (const bool damaged : {false, true}) {
    for (const std::string& name : names_of(test.store, "meta/index/")) {
      if (damaged) flip(name, 100);
      if (!damaged) test.store.remove(name);
    }
    EXPECT_FALSE(restores(backups[0]));
    Repository repository = open();
    const std::size_t objects = names_of(test.store, "").size();
    EXPECT_EQ(repair_index(repository, true).added_packs, names_of(test.store, "packs/").size());
    EXPECT_EQ(names_of(test.store, "").size(), objects);
    const IndexRepair repair = repair_index(repository);
    EXPECT_EQ(repair.added_packs, names_of(test.store, "packs/").size());
    EXPECT_EQ(repair.removed_indexes, damaged ? 1u : 0u);
    EXPECT_TRUE(repair.unreadable.empty());
    EXPECT_TRUE(checked(Level::kData).intact());
    EXPECT_TRUE(restores(backups[0]) && restores(backups[1]));
    EXPECT_EQ(repair_index(repository).added_packs, 0u);
  }
}

TEST_F(CheckTest, AnIndexForgetsPacksThatAreNotThereAndABackupWritesThemAgain) {
  test.store.remove(pack_of(id_of(15)));
  Repository repository = open();
  const IndexRepair repair = repair_index(repository);
  EXPECT_EQ(repair.dropped_packs, 1u);
  EXPECT_EQ(repair.removed_indexes, 1u);
  EXPECT_FALSE(repository.has(id_of(15)));
  EXPECT_TRUE(repository.has(id_of(25)));
  EXPECT_FALSE(checked(Level::kStructure).intact());
  back_up({0, 10});
  EXPECT_TRUE(checked(Level::kData).intact());
  EXPECT_TRUE(restores(backups[0]) && restores(backups[1]));
}

TEST_F(CheckTest, APackWithoutItsDirectoryIsSaidAndTheOthersAreRepaired) {
  const std::string pack = pack_of(id_of(5));
  flip(pack, test.store.get(pack).size() - 20);
  for (const std::string& name : names_of(test.store, "meta/index/")) test.store.remove(name);
  Repository repository = open();
  const IndexRepair repair = repair_index(repository);
  ASSERT_EQ(repair.unreadable.size(), 1u);
  EXPECT_EQ(repair.unreadable[0].object, pack);
  EXPECT_EQ(repair.added_packs + 1, names_of(test.store, "packs/").size());
  EXPECT_EQ(affected(checked(Level::kStructure)),
            (std::vector<bool>{!restores(backups[0]), !restores(backups[1])}));
  EXPECT_FALSE(restores(backups[0]));
}

TEST_F(CheckTest, ARepairLeavesAloneWhatIsGoingToBeRemoved) {
  for (const std::string& name : names_of(test.store, "meta/index/")) test.store.remove(name);
  Repository repository = open();
  std::set<ObjectId> packs;
  for (const std::string& name : names_of(test.store, "packs/")) packs.insert(object_id(name));
  write_mark(repository, packs);
  EXPECT_EQ(repair_index(repository).added_packs, 0u);
}

TEST_F(CheckTest, ARepairThatIsEndedAnywhereIsDoneByTheNext) {
  std::uint64_t n = 1;
  for (bool reached = true; reached; ++n) {
    const std::string index = names_of(test.store, "meta/index/").at(0);
    test.store.remove(index);
    FailingStore failing(test.store, n, true);
    try {
      Repository repository = Repository::open(failing, kKeyFile);
      repair_index(repository);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kUnavailable);
    }
    reached = failing.reached();
    Repository repository = open();
    repair_index(repository);
    EXPECT_TRUE(checked(Level::kData).intact());
  }
  EXPECT_GT(n, 10u);
}

TEST_F(CheckTest, ARepairThatIsEndedAnywhereCostsNoBackupThatWasWhole) {
  test.store.remove(pack_of(id_of(3)));  // its index names packs of the second backup, too
  ASSERT_TRUE(restores(backups[1]));
  const auto everything = [&] {
    std::map<std::string, std::string> objects;
    for (const std::string& name : names_of(test.store, "")) objects[name] = test.store.get(name);
    return objects;
  }();
  std::uint64_t n = 1;
  for (bool reached = true; reached; ++n) {
    FailingStore failing(test.store, n, true);
    try {
      Repository repository = Repository::open(failing, kKeyFile);
      EXPECT_EQ(repair_index(repository).dropped_packs, 1u);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kUnavailable);
    }
    reached = failing.reached();
    EXPECT_TRUE(restores(backups[1])) << n;
    for (const std::string& name : names_of(test.store, "")) test.store.remove(name);
    for (const auto& [name, bytes] : everything) test.store.put(name, bytes);
  }
  EXPECT_GT(n, 10u);
}

TEST_F(CheckTest, ObjectsOfOtherNamesAreLeftAlone) {
  for (const char* const name : {"packs/readme", "packs/ab/notes", "meta/index/old",
                                 "meta/backups/x", "meta/garbage/y", "holiday"}) {
    test.store.put(name, "not ours");
  }
  EXPECT_TRUE(checked(Level::kData).intact());
  Repository repository = open();
  EXPECT_EQ(mark_garbage(repository, {}).marked_packs, 0u);
  EXPECT_EQ(repair_index(repository).removed_indexes, 0u);
  EXPECT_TRUE(restores(backups[1]));
}

}  // namespace
}  // namespace coppice::repo
