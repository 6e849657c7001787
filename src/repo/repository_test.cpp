#include "repo/repository.h"

#include <nlohmann/json.hpp>
#include <thread>

#include "base/sha256.h"
#include "objects/testing/fault_stores.h"
#include "repo/repo_fixture.h"

namespace coppice::repo {
namespace {

std::vector<std::string> names_of(ObjectStore& store, const std::string& prefix = "") {
  std::vector<std::string> names;
  store.list(prefix, [&](const ObjectInfo& info) { names.push_back(info.name); });
  return names;
}

std::string text_blob(int number) {
  return "row " + std::to_string(number) + std::string(static_cast<std::size_t>(number % 700), 'x');
}

TEST(Repository, GivesBackWhatItWasGiven) {
  TestRepository test;
  std::vector<std::pair<BlobId, std::string>> blobs;
  {
    BlobWriter writer(test.repository, {.pack_bytes = 64 << 10});
    for (int i = 0; i < 1'000; ++i) blobs.emplace_back(writer.add(text_blob(i)), text_blob(i));
    const std::string random = random_bytes(1 << 20);
    blobs.emplace_back(writer.add(random), random);
    blobs.emplace_back(writer.add(""), "");
    blobs.emplace_back(writer.add_tree("{\"blobs\": []}"), "{\"blobs\": []}");
    writer.flush();
    EXPECT_EQ(writer.counts().new_blobs, blobs.size());
  }
  Repository again = Repository::open(test.store, kKeyFile);
  EXPECT_TRUE(again.load_index().empty());
  EXPECT_EQ(again.blob_count(), blobs.size());
  for (const auto& [id, bytes] : blobs) EXPECT_EQ(again.read(id), bytes);
  EXPECT_EQ(thrown_by([&] { again.read(again.keys().blob_id("never given")); }).code(),
            ErrorCode::kNotFound);
}

TEST(Repository, WhatIsThereIsNotWrittenAgain) {
  TestRepository test;
  {
    BlobWriter writer(test.repository);
    for (int i = 0; i < 100; ++i) writer.add(text_blob(i % 50));
    writer.flush();
    EXPECT_EQ(writer.counts().blobs, 100u);
    EXPECT_EQ(writer.counts().new_blobs, 50u);
  }
  const std::size_t objects = names_of(test.store).size();
  Repository again = Repository::open(test.store, kKeyFile);
  again.load_index();
  BlobWriter writer(again);
  for (int i = 0; i < 50; ++i) writer.add(text_blob(i));
  writer.flush();
  EXPECT_EQ(writer.counts().new_blobs, 0u);
  EXPECT_EQ(names_of(test.store).size(), objects);
}

TEST(Repository, WhatIsGoingToBeRemovedIsWrittenAgain) {
  TestRepository test;
  BlobWriter first(test.repository);
  const BlobId id = first.add("some text");
  first.flush();
  WriterOptions options;
  options.marked.insert(object_id(names_of(test.store, "packs/").at(0)));
  BlobWriter second(test.repository, options);
  second.add("some text");
  second.flush();
  EXPECT_EQ(second.counts().new_blobs, 1u);
  EXPECT_EQ(names_of(test.store, "packs/").size(), 2u);
  test.store.remove(pack_name(*options.marked.begin()));
  EXPECT_EQ(Repository::open(test.store, kKeyFile).store().place(), "memory");
  BlobWriter third(test.repository, options);
  third.add("some text");
  EXPECT_EQ(third.counts().new_blobs, 0u);
  EXPECT_EQ(test.repository
                .with_index([&](const Index& index) {
                  return index.find(
                      id, [&](const ObjectId& pack) { return !options.marked.contains(pack); });
                })
                .has_value(),
            true);
}

TEST(Repository, ManyThreadsWriteAtOnce) {
  TestRepository test;
  BlobWriter writer(test.repository, {.pack_bytes = 16 << 10});
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&, thread] {
      for (int i = 0; i < 500; ++i) writer.add(text_blob(i + 100 * thread));
    });
  }
  for (std::thread& thread : threads) thread.join();
  writer.flush();
  EXPECT_EQ(writer.counts().blobs, 2'000u);
  EXPECT_EQ(writer.counts().new_blobs, 800u);
  for (int i = 0; i < 800; ++i) {
    EXPECT_EQ(test.repository.read(test.repository.keys().blob_id(text_blob(i))), text_blob(i));
  }
}

TEST(Repository, ClientsWriteAtOnceWithoutKnowingOfEachOther) {
  TestRepository test;
  std::vector<std::thread> clients;
  for (int client = 0; client < 3; ++client) {
    clients.emplace_back([&, client] {
      Repository own = Repository::open(test.store, kKeyFile);
      own.load_index();
      BlobWriter writer(own, {.pack_bytes = 8 << 10});
      for (int i = 0; i < 200; ++i) writer.add(text_blob(i + 50 * client));
      writer.flush();
      own.put_manifest("{\"client\": " + std::to_string(client) + "}");
    });
  }
  for (std::thread& client : clients) client.join();
  Repository again = Repository::open(test.store, kKeyFile);
  EXPECT_TRUE(again.load_index().empty());
  for (int i = 0; i < 300; ++i) {
    EXPECT_EQ(again.read(again.keys().blob_id(text_blob(i))), text_blob(i));
  }
  EXPECT_EQ(again.list_manifests().size(), 3u);
}

TEST(Repository, NamesOfObjectsAreDigestsOfTheirBytes) {
  TestRepository test;
  BlobWriter writer(test.repository);
  writer.add("some text");
  writer.flush();
  test.repository.put_manifest("{}");
  int checked = 0;
  for (const std::string folder : {"packs/", "meta/index/", "meta/backups/"}) {
    for (const std::string& name : names_of(test.store, folder)) {
      EXPECT_EQ(name.substr(name.rfind('/') + 1), to_hex(sha256(test.store.get(name))));
      ++checked;
    }
  }
  EXPECT_EQ(checked, 3);
}

TEST(Repository, NothingOfThePlaintextIsStored) {
  TestRepository test;
  const std::string canary = "CANARY-6d1f0c";
  BlobWriter writer(test.repository);
  for (int i = 0; i < 20; ++i) writer.add(canary + random_bytes(static_cast<std::size_t>(i) * 97));
  writer.add_tree("{\"name\": \"" + canary + "\"}");
  writer.flush();
  test.repository.put_manifest("{\"host\": \"" + canary + "\"}");
  for (const std::string& name : names_of(test.store)) {
    EXPECT_EQ(test.store.get(name).find(canary), std::string::npos) << name;
  }
  // The same look finds it in one that is not encrypted.
  FakeClock clock;
  MemoryStore plain(clock);
  Repository open = Repository::create(plain, std::nullopt, clock);
  open.put_manifest(canary);
  EXPECT_NE(plain.get(names_of(plain, "meta/backups/").at(0)).find(canary), std::string::npos);
}

TEST(Repository, EncryptionIsNeitherAddedNorLeftOutSilently) {
  FakeClock clock;
  MemoryStore plain(clock), sealed(clock);
  Repository::create(plain, std::nullopt, clock);
  Repository::create(sealed, kKeyFile, clock);
  EXPECT_EQ(thrown_by([&] { Repository::open(plain, kKeyFile); }).code(), ErrorCode::kRefused);
  EXPECT_EQ(thrown_by([&] { Repository::open(sealed, std::nullopt); }).code(), ErrorCode::kRefused);
  EXPECT_EQ(thrown_by([&] { Repository::open(sealed, kPassphrase); }).code(), ErrorCode::kRefused);
  EXPECT_FALSE(Repository::open(plain, std::nullopt).encrypted());
}

TEST(Repository, WorksWithoutEncryption) {
  FakeClock clock;
  MemoryStore store(clock);
  Repository repository = Repository::create(store, std::nullopt, clock);
  BlobWriter writer(repository);
  const BlobId id = writer.add("some text");
  writer.flush();
  EXPECT_EQ(id.hex(), to_hex(sha256("some text")));
  Repository again = Repository::open(store, std::nullopt);
  again.load_index();
  EXPECT_EQ(again.read(id), "some text");
}

TEST(Repository, SaysWhatItCannotOpen) {
  FakeClock clock;
  MemoryStore store(clock);
  EXPECT_EQ(thrown_by([&] { Repository::open(store, kKeyFile); }).code(), ErrorCode::kNotFound);
  store.put("holiday", "a photo");
  EXPECT_EQ(thrown_by([&] { Repository::create(store, kKeyFile, clock); }).code(),
            ErrorCode::kRefused);
  MemoryStore other(clock);
  Repository::create(other, kKeyFile, clock);
  EXPECT_EQ(thrown_by([&] { Repository::create(other, kKeyFile, clock); }).code(),
            ErrorCode::kAlreadyExists);
  nlohmann::json content = nlohmann::json::parse(other.get("coppice-repository"));
  content["format"] = 2;
  other.overwrite("coppice-repository", content.dump());
  EXPECT_EQ(thrown_by([&] { Repository::open(other, kKeyFile); }).code(), ErrorCode::kNewerFormat);
  other.overwrite("coppice-repository", "garbage");
  EXPECT_EQ(thrown_by([&] { Repository::open(other, kKeyFile); }).code(), ErrorCode::kIntegrity);
}

TEST(Repository, ManifestsComeInTheOrderOfTheirTime) {
  TestRepository test;
  std::vector<ObjectId> ids;
  for (int i = 0; i < 5; ++i) {
    ids.push_back(test.repository.put_manifest("{\"n\": " + std::to_string(i) + "}"));
    test.clock.now += 1'000'000;
  }
  std::vector<ObjectId> listed;
  for (const ManifestInfo& info : test.repository.list_manifests()) listed.push_back(info.id);
  EXPECT_EQ(listed, ids);
  EXPECT_EQ(test.repository.read_manifest(ids[3]), "{\"n\": 3}");
  EXPECT_TRUE(test.repository.remove_manifest(ids[3]));
  EXPECT_FALSE(test.repository.remove_manifest(ids[3]));
  EXPECT_EQ(test.repository.list_manifests().size(), 4u);
}

TEST(Repository, ABlobIsReadWithOneRequest) {
  TestRepository test;
  BlobWriter writer(test.repository);
  const BlobId id = writer.add(text_blob(600));
  writer.flush();
  CountingStore counting(test.store);
  Repository again = Repository::open(counting, kKeyFile);
  again.load_index();
  const std::uint64_t before = counting.total();
  again.read(id);
  EXPECT_EQ(counting.total() - before, 1u);
}

}  // namespace
}  // namespace coppice::repo
