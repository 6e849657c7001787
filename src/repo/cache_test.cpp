// The cache of a client: what it may be trusted with, and what it saves.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/files.h"
#include "objects/testing/fault_stores.h"
#include "repo/commit.h"
#include "repo/marks.h"
#include "repo/reach.h"
#include "repo/repo_fixture.h"

namespace coppice::repo {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

const std::string kHome = "00112233445566778899aabbccddeeff";  // a repository

std::vector<fs::path> files_in(const fs::path& folder) {
  std::vector<fs::path> files;
  if (!fs::exists(folder)) return files;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::uint64_t bytes_in(const fs::path& folder) {
  std::uint64_t total = 0;
  for (const fs::path& file : files_in(folder)) total += fs::file_size(file);
  return total;
}

struct CacheTest : testing::Test {
  ScratchFolder scratch{fs::temp_directory_path()};
  fs::path folder = scratch.path() / "cache/repo";
};

TEST_F(CacheTest, GivesBackWhatItWasGiven) {
  ObjectCache cache(folder);
  EXPECT_EQ(cache.get(kHome, "meta/index/ab"), std::nullopt);
  cache.put(kHome, "meta/index/ab", "some bytes");
  cache.put(kHome, "empty", "");
  EXPECT_EQ(ObjectCache(folder).get(kHome, "meta/index/ab"), "some bytes");
  EXPECT_EQ(cache.get(kHome, "empty"), "");
  EXPECT_EQ(cache.get("ff" + kHome.substr(2), "meta/index/ab"), std::nullopt);
  EXPECT_TRUE(fs::exists(folder / kHome / "meta/index/ab"));
  EXPECT_EQ(fs::status(folder).permissions(), fs::perms::owner_all);
  cache.remove(kHome, "empty");
  EXPECT_EQ(cache.get(kHome, "empty"), std::nullopt);
}

TEST_F(CacheTest, WhatWasDamagedIsDroppedAndNeverGiven) {
  ObjectCache cache(folder);
  cache.put(kHome, "one", "some bytes");
  const fs::path file = folder / kHome / "one";
  const std::string good = read_file(file);
  for (std::size_t i = 0; i < good.size(); ++i) {
    for (const bool cut : {false, true}) {
      std::string bad = good;
      if (cut) bad.resize(i);
      if (!cut) bad[i] = static_cast<char>(bad[i] ^ 1);
      std::ofstream(file) << bad;
      EXPECT_EQ(cache.get(kHome, "one"), std::nullopt);
      EXPECT_FALSE(fs::exists(file));
    }
  }
  // One of another name, whole as it is.
  cache.put(kHome, "one", "some bytes");
  fs::rename(file, folder / kHome / "two");
  EXPECT_EQ(cache.get(kHome, "two"), std::nullopt);
}

TEST_F(CacheTest, StaysWithinItsSizeAndDropsWhatWasNotUsedForLongest) {
  ObjectCache cache(folder, 100'000);
  const auto name = [](int i) { return "object" + std::to_string(i); };
  for (int i = 0; i < 300; ++i) {
    cache.put(kHome, name(i), std::string(1'000, 'x'));
    std::this_thread::sleep_for(std::chrono::microseconds(200));
    EXPECT_TRUE(cache.get(kHome, name(0)).has_value()) << i;  // is used all the time
    EXPECT_LE(bytes_in(folder), 100'000u);
  }
  EXPECT_TRUE(cache.get(kHome, name(299)).has_value());
  EXPECT_FALSE(cache.get(kHome, name(1)).has_value());
  EXPECT_GT(bytes_in(folder), 50'000u);
  cache.put(kHome, "huge", std::string(90'000, 'x'));
  EXPECT_FALSE(cache.get(kHome, "huge").has_value());
}

TEST_F(CacheTest, SeveralUseItAtOnce) {
  std::vector<std::thread> users;
  for (int user = 0; user < 4; ++user) {
    users.emplace_back([&] {
      ObjectCache cache(folder, 40'000);
      for (int i = 0; i < 300; ++i) {
        const std::string name = "object" + std::to_string(i % 60);
        const std::string bytes(1'000, static_cast<char>('a' + i % 60 % 26));
        const auto found = cache.get(kHome, name);
        EXPECT_EQ(found.value_or(bytes), bytes);
        cache.put(kHome, name, bytes);
      }
    });
  }
  for (std::thread& user : users) user.join();
  for (const fs::path& file : files_in(folder)) {
    EXPECT_FALSE(file.filename().string().starts_with(".")) << file;
  }
}

TEST_F(CacheTest, WhatCannotBeWrittenIsLeftOut) {
  std::ofstream(scratch.path() / "file") << "in the way";
  ObjectCache cache(scratch.path() / "file");
  cache.put(kHome, "one", "some bytes");
  EXPECT_EQ(cache.get(kHome, "one"), std::nullopt);
}

// A client with a repository in memory, and a store that counts.
struct ClientTest : CacheTest {
  TestRepository test;
  CountingStore counting{test.store};
  ObjectCache cache{folder};

  Repository open() { return Repository::open(counting, kKeyFile, &cache); }
  std::uint64_t requests(const std::function<void()>& call) {
    const std::uint64_t before = counting.total();
    call();
    return counting.total() - before;
  }
  // As a backup of a home does it: what the last one had is known, new blobs are written.
  ObjectId back_up(int blobs) {
    Repository repository = open();
    EXPECT_TRUE(repository.load_index().empty());
    BlobWriter writer(repository, begin_backup(repository));
    const std::vector<ManifestInfo> before = repository.listed_manifests();
    if (!before.empty()) {
      Walk(repository, [](const BlobId&) {}).manifest(before.back().id);
    }
    json names = json::array();
    for (int i = 0; i < blobs; ++i) {
      names.push_back(writer.add("CANARY " + std::to_string(i) + std::string(300, 'c')).hex());
    }
    const BlobId tree = writer.add_tree(json{{"blobs", names}}.dump());
    return commit(repository, writer,
                  json{{"trees", {tree.hex()}}, {"number", before.size()}}.dump());
  }
};

TEST_F(ClientTest, ABackupWithoutAChangeTakesFourRequests) {
  back_up(50);
  test.clock.now += 1'000'000;
  // The repository, its listing, the manifest, and the marks after it.
  EXPECT_EQ(requests([&] { back_up(50); }), 4u);
  // Without a cache: the access, the index, the manifest of the last one and its tree.
  fs::remove_all(folder);
  EXPECT_EQ(requests([&] { back_up(50); }), 4u + 1 + 1 + 1 + 1);
  // A change costs a pack of blobs, one of trees, and the index of them.
  EXPECT_EQ(requests([&] { back_up(51); }), 4u + 3);
  EXPECT_EQ(requests([&] { back_up(51); }), 4u);
}

TEST_F(ClientTest, ARepositoryIsOpenedWithThreeRequestsBesideItsIndexes) {
  {
    Repository repository = Repository::open(test.store, kKeyFile);
    for (int i = 0; i < 5; ++i) {
      BlobWriter writer(repository);
      writer.add(std::to_string(i));
      writer.flush();
    }
  }
  EXPECT_EQ(requests([&] {
              Repository repository = Repository::open(counting, kKeyFile);
              EXPECT_TRUE(repository.load_index().empty());
              EXPECT_EQ(repository.blob_count(), 5u);
            }),
            3u + 5);
}

TEST_F(ClientTest, WhatIsCachedIsSealed) {
  back_up(30);
  back_up(30);
  ASSERT_GE(files_in(folder).size(), 5u);
  for (const fs::path& file : files_in(folder)) {
    EXPECT_EQ(read_file(file).find("CANARY"), std::string::npos) << file;
    for (const Secret& secret : {kKeyFile}) {
      EXPECT_EQ(read_file(file).find(secret.bytes), std::string::npos) << file;
    }
    EXPECT_EQ(fs::status(file).permissions(), fs::perms::owner_read | fs::perms::owner_write);
  }
}

TEST_F(ClientTest, BlobsThatAreNoTreesAreNotCached) {
  back_up(30);
  Repository repository = open();
  repository.load_index();
  const std::size_t files = files_in(folder).size();
  const BlobId id = repository.keys().blob_id("CANARY 3" + std::string(300, 'c'));
  EXPECT_EQ(requests([&] { repository.read(id); }), 1u);
  EXPECT_EQ(files_in(folder).size(), files);
}

TEST_F(ClientTest, ADamagedCacheCostsRequestsOnly) {
  back_up(20);
  for (const fs::path& file : files_in(folder)) {
    std::string bytes = read_file(file);
    for (const std::string& bad :
         {bytes.substr(0, bytes.size() / 2), std::string(), bytes + "x", std::string(200, 'x')}) {
      std::ofstream(file) << bad;
      const ObjectId id = back_up(20);
      EXPECT_EQ(json::parse(open().read_manifest(id)).at("trees").size(), 1u);
    }
  }
}

// Whoever can write to the cache can make its digests right; he gains nothing by it.
TEST_F(ClientTest, AForgedCacheIsNotBelieved) {
  back_up(20);
  const std::string id = test.repository.id();
  for (const fs::path& file : files_in(folder / id)) {
    const std::string name = fs::relative(file, folder / id).string();
    const std::string good = cache.get(id, name).value();
    std::string forged = good;
    forged[forged.size() / 2] = static_cast<char>(forged[forged.size() / 2] ^ 1);
    cache.put(id, name, forged);
    try {
      Repository repository = open();
      EXPECT_TRUE(repository.load_index().empty());
      Walk(repository, [](const BlobId&) {}).manifest(repository.listed_manifests().at(0).id);
      EXPECT_EQ(repository.blob_count(), 21u);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kIntegrity) << name << ": " << error.message();
      EXPECT_TRUE(name.starts_with("parts/")) << name << ": " << error.message();
    }
    cache.put(id, name, good);
  }
}

TEST_F(ClientTest, AnAccessThatWasRemovedDoesNotOpenWithACopyOfItsDocument) {
  Keys keys = test.repository.keys();
  const std::string removed = add_access(test.store, keys, kPassphrase, "second", test.clock);
  Repository::open(counting, kPassphrase, &cache);
  remove_access(test.store, keys, removed, test.clock);
  EXPECT_EQ(thrown_by([&] { Repository::open(counting, kPassphrase, &cache); }).code(),
            ErrorCode::kRefused);
  EXPECT_EQ(open().id(), test.repository.id());
}

TEST_F(ClientTest, ANewEpochIsSeenAtOnce) {
  const std::string old_epoch = open().keys().newest_epoch();
  Keys keys = open().keys();
  start_epoch(test.store, keys, test.clock);
  EXPECT_NE(keys.newest_epoch(), old_epoch);
  EXPECT_EQ(open().keys().newest_epoch(), keys.newest_epoch());
  // And costs a request once.
  EXPECT_EQ(requests([&] { open(); }), 2u);
}

TEST_F(ClientTest, ManyIndexesAreReadOnceHoweverOftenTheyAreLoaded) {
  Repository repository = open();
  for (int i = 0; i < 4; ++i) {
    BlobWriter writer(repository);
    writer.add(std::to_string(i));
    writer.flush();
  }
  EXPECT_EQ(requests([&] { repository.load_index(); }), 1u);
  EXPECT_EQ(repository.blob_count(), 4u);
  // One that is gone is gone from memory too.
  std::string name;
  test.store.list("meta/index/", [&](const ObjectInfo& info) { name = info.name; });
  test.store.remove(name);
  EXPECT_EQ(requests([&] { repository.load_index(); }), 1u);
  EXPECT_EQ(repository.blob_count(), 3u);
}

}  // namespace
}  // namespace coppice::repo
