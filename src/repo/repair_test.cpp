// Repairs: each kind of damage, with another repository of the same keys, of others, and without.
#include "repo/repair.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "repo/commit.h"
#include "repo/copy.h"
#include "repo/reach.h"
#include "repo/tens_fixture.h"

namespace coppice::repo {
namespace {

const Secret kOtherKey{Secret::Kind::kKeyFile, std::string(32, 'o')};

struct RepairTest : testing::Test {
  FakeClock clock;
  TensRepository here{clock}, mirror{clock}, other{clock, kOtherKey};
  std::vector<ObjectId> backups, translated;

  void SetUp() override {
    here.make();
    other.make();
    backups = {here.back_up({0, 10}), here.back_up({10, 20})};
    Repository source = here.open();
    Repository::create_copy(mirror.store, source);
    Repository same = mirror.open(), different = other.open();
    Copier copier(source, same, {}), translator(source, different, {});
    for (const ObjectId& id : backups) {
      copier.copy(id);
      translated.push_back(translator.copy(id));
    }
  }
  RepairReport repaired(TensRepository* from) {
    Repository repository = here.open();
    if (from == nullptr) return repair(repository, nullptr);
    Repository source = from->open();
    return repair(repository, &source);
  }
  void expect_whole() {
    EXPECT_TRUE(check(here.open(), {.level = CheckOptions::Level::kData}).intact());
    const auto names = here.names("meta/backups/");
    const std::vector<std::vector<int>> tens = {{0, 10}, {10, 20}};
    for (std::size_t i = 0; i < backups.size(); ++i) {
      const std::string name = object_name(kBackupFolder, backups[i]);
      if (std::find(names.begin(), names.end(), name) == names.end()) continue;
      EXPECT_EQ(here.blobs(backups[i]), blobs_of_tens(tens[i]));
    }
  }
  std::string pack_of(const std::string& blob) {
    const Repository repository = here.open();
    return pack_name(repository.index().find(repository.keys().blob_id(blob))->pack->id);
  }
};

TEST_F(RepairTest, LeavesAWholeRepositoryAlone) {
  const auto before = here.names("");
  const RepairReport report = repaired(&mirror);
  EXPECT_TRUE(report.found.empty() && report.repaired.empty() && report.left.empty());
  EXPECT_EQ(here.names(""), before);
}

TEST_F(RepairTest, ReplacesEachDamagedObjectByItsCopy) {
  for (const std::string folder : {"packs/", "meta/backups/"}) {
    for (const std::string& name : here.names(folder)) {
      const std::string good = here.store.get(name);
      here.flip_a_bit(name);
      const RepairReport report = repaired(&mirror);
      EXPECT_EQ(report.found.size(), 1u) << name;
      EXPECT_TRUE(report.left.empty()) << name;
      EXPECT_EQ(here.store.get(name), good);
      expect_whole();
    }
  }
}

TEST_F(RepairTest, BringsMissingPacksBack) {
  for (const std::string& name : here.names("packs/")) {
    here.store.remove(name);
    EXPECT_TRUE(repaired(&mirror).left.empty()) << name;
    EXPECT_FALSE(here.store.get(name).empty());
    expect_whole();
  }
}

TEST_F(RepairTest, MakesIndexesAgainAlone) {
  for (const std::string& name : here.names("meta/index/")) here.flip_a_bit(name);
  const RepairReport report = repaired(nullptr);
  EXPECT_EQ(report.found.size() > 0, true);
  EXPECT_TRUE(report.left.empty());
  expect_whole();
  for (const std::string& name : here.names("meta/index/")) here.store.remove(name);
  EXPECT_TRUE(repaired(nullptr).left.empty());
  expect_whole();
}

TEST_F(RepairTest, AllAtOnce) {
  for (const std::string folder : {"packs/", "meta/backups/", "meta/index/"}) {
    for (const std::string& name : here.names(folder)) here.flip_a_bit(name);
  }
  EXPECT_TRUE(repaired(&mirror).left.empty());
  expect_whole();
  EXPECT_EQ(here.names("packs/"), mirror.names("packs/"));
}

// What the copy has in other packs.
TEST_F(RepairTest, TakesBlobsWhereThePackIsNotThere) {
  Repository copy = mirror.open();
  WriterOptions options = begin_backup(copy);
  for (const IndexPart& part : copy.index().parts()) {
    for (const IndexedPack& pack : part.packs()) options.marked.insert(pack.id);
  }
  BlobWriter writer(copy, options);
  walk_all(copy, [&](const BlobId& id) { writer.add_again(id, copy.read(id)); });
  writer.flush();
  for (const std::string& name : here.names("packs/")) mirror.store.remove(name);
  const std::string name = pack_of(blob_of_ten(3));
  here.flip_a_bit(name);
  const RepairReport report = repaired(&mirror);
  EXPECT_TRUE(report.left.empty());
  EXPECT_FALSE(here.store.stat(name));
  expect_whole();
}

TEST_F(RepairTest, OfOtherKeysMakesBlobsAnew) {
  for (const std::string& name : here.names("packs/")) {
    here.flip_a_bit(name);
    const RepairReport report = repaired(&other);
    EXPECT_TRUE(report.left.empty()) << name << report.left[0].what;
    expect_whole();
  }
  for (const std::string& name : here.names("packs/")) here.store.remove(name);
  EXPECT_TRUE(repaired(&other).left.empty());
  expect_whole();
}

TEST_F(RepairTest, OfOtherKeysMakesAManifestAnewUnderAnotherName) {
  const std::string name = object_name(kBackupFolder, backups[0]);
  const auto said = here.open().read_manifest(backups[0]);
  here.flip_a_bit(name);
  EXPECT_TRUE(repaired(&other).left.empty());
  EXPECT_FALSE(here.store.stat(name));
  std::vector<std::string> texts;
  for (const ManifestInfo& info : here.open().list_manifests()) {
    texts.push_back(here.open().read_manifest(info.id));
  }
  EXPECT_EQ(std::count(texts.begin(), texts.end(), said), 1);
  expect_whole();
}

TEST_F(RepairTest, NamesWhatIsDamagedOnBothSides) {
  const std::string name = pack_of(blob_of_ten(3));
  here.flip_a_bit(name);
  mirror.flip_a_bit(name);
  const RepairReport report = repaired(&mirror);
  ASSERT_FALSE(report.left.empty());
  EXPECT_EQ(report.left[0].object, name);
  EXPECT_NE(report.left[0].what.find("is damaged"), std::string::npos);
  EXPECT_TRUE(here.store.stat(name));
}

TEST_F(RepairTest, AloneWritesAgainWhatIsThereTwice) {
  // A second writer that knew nothing of the first one's blobs.
  Repository repository = here.open();
  WriterOptions options = begin_backup(repository);
  for (const IndexPart& part : repository.index().parts()) {
    for (const IndexedPack& pack : part.packs()) options.marked.insert(pack.id);
  }
  const std::string name = pack_of(blob_of_ten(3));
  BlobWriter writer(repository, options);
  walk_all(repository, [&](const BlobId& id) { writer.add_again(id, repository.read(id)); });
  writer.flush();
  here.flip_a_bit(name);
  EXPECT_TRUE(repaired(nullptr).left.empty());
  EXPECT_FALSE(here.store.stat(name));
  expect_whole();
}

TEST_F(RepairTest, DoesNotBringBackWhatWasForgotten) {
  Repository repository = here.open();
  repository.remove_manifest(backups[0]);
  here.flip_a_bit(pack_of(blob_of_ten(13)));
  for (TensRepository* const from : {&mirror, &other}) {
    const RepairReport report = repaired(from);
    EXPECT_EQ(report.elsewhere.size(), 1u);
    EXPECT_EQ(here.names("meta/backups/").size(), 1u);
  }
  expect_whole();
}

}  // namespace
}  // namespace coppice::repo
