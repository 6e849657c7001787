// What every ObjectStore must do, and what is of one kind only.
#include <fmt/core.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <atomic>
#include <fstream>
#include <map>
#include <set>
#include <thread>

#include "base/error.h"
#include "base/files.h"
#include "objects/folder_store.h"
#include "objects/memory_store.h"
#include "objects/paced_store.h"
#include "objects/testing/fault_stores.h"

namespace coppice {
namespace {

namespace fs = std::filesystem;

class FakeClock final : public Clock {
 public:
  std::int64_t now_us() const override { return now; }
  void sleep(std::chrono::milliseconds duration) const override {
    now += std::chrono::microseconds(duration).count();
  }
  mutable std::int64_t now = 1'000'000;
};

ErrorCode code_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.code();
  }
  ADD_FAILURE() << "nothing was thrown";
  return ErrorCode::kInternal;
}

std::map<std::string, std::uint64_t> listed(ObjectStore& store, const std::string& prefix = "") {
  std::map<std::string, std::uint64_t> sizes;
  store.list(prefix, [&](const ObjectInfo& info) {
    EXPECT_TRUE(sizes.emplace(info.name, info.size_bytes).second) << info.name << " came twice";
  });
  return sizes;
}

struct AnyStore {
  FakeClock clock;
  std::optional<ScratchFolder> folder;
  std::unique_ptr<ObjectStore> store;
};

std::unique_ptr<AnyStore> make_store(const std::string& kind) {
  auto any = std::make_unique<AnyStore>();
  if (kind == "memory") {
    any->store = std::make_unique<MemoryStore>(any->clock);
  } else {
    any->folder.emplace(fs::temp_directory_path());
    any->store =
        std::make_unique<FolderStore>(any->folder->path() / "store", FolderStore::Missing::kCreate);
  }
  return any;
}

class StoreContract : public testing::TestWithParam<const char*> {
 protected:
  std::unique_ptr<AnyStore> any_ = make_store(GetParam());
  ObjectStore& store_ = *any_->store;
};

TEST_P(StoreContract, WhatWasPutIsThereWhole) {
  std::string bytes("a\0b\n\xff", 5);
  bytes.append(3 << 20, 'x');
  EXPECT_TRUE(store_.put("packs/ab/abcd", bytes));
  EXPECT_EQ(store_.get("packs/ab/abcd"), bytes);
  EXPECT_EQ(store_.stat("packs/ab/abcd")->size_bytes, bytes.size());
  EXPECT_TRUE(store_.put("empty", ""));
  EXPECT_EQ(store_.get("empty"), "");
  EXPECT_EQ(store_.get_part("empty", 0, 0), "");
}

TEST_P(StoreContract, NothingIsEverReplaced) {
  EXPECT_TRUE(store_.put("one", "first"));
  EXPECT_FALSE(store_.put("one", "second"));
  EXPECT_EQ(store_.get("one"), "first");
}

TEST_P(StoreContract, PartsAreReadExactlyOrNotAtAll) {
  store_.put("one", "0123456789");
  EXPECT_EQ(store_.get_part("one", 0, 10), "0123456789");
  EXPECT_EQ(store_.get_part("one", 3, 4), "3456");
  EXPECT_EQ(store_.get_part("one", 10, 0), "");
  for (const auto& [offset, size] : std::vector<std::pair<std::uint64_t, std::uint64_t>>{
           {0, 11}, {10, 1}, {11, 0}, {~std::uint64_t{0}, 2}, {2, ~std::uint64_t{0}}}) {
    EXPECT_EQ(code_of([&] { store_.get_part("one", offset, size); }), ErrorCode::kIntegrity);
  }
}

TEST_P(StoreContract, WhatIsNotThereIsSaidByName) {
  EXPECT_FALSE(store_.stat("a/b").has_value());
  EXPECT_FALSE(store_.remove("a/b"));
  EXPECT_EQ(code_of([&] { store_.get("a/b"); }), ErrorCode::kNotFound);
  EXPECT_EQ(code_of([&] { store_.get_part("a/b", 0, 1); }), ErrorCode::kNotFound);
  try {
    store_.get("a/b");
  } catch (const Error& error) {
    EXPECT_NE(error.message().find("a/b"), std::string::npos) << error.message();
  }
}

TEST_P(StoreContract, ListsWhatIsUnderAPrefixOnly) {
  EXPECT_TRUE(listed(store_).empty());
  EXPECT_TRUE(listed(store_, "packs/").empty());
  store_.put("packs/aa/1", "1");
  store_.put("packs/ab/22", "22");
  store_.put("packsx", "333");
  store_.put("index/3", "");
  EXPECT_EQ(listed(store_, "packs/"),
            (std::map<std::string, std::uint64_t>{{"packs/aa/1", 1}, {"packs/ab/22", 2}}));
  EXPECT_EQ(listed(store_).size(), 4u);
}

TEST_P(StoreContract, FoldersAreListedInTheirOrder) {
  for (const char* const name : {"meta/c/1", "meta/a/2", "meta/d/x/3", "meta/b/4", "meta/a/1"}) {
    store_.put(name, "");
  }
  std::string folders;
  store_.list("meta/", [&](const ObjectInfo& info) { folders += info.name[5]; });
  EXPECT_EQ(folders, "aabcd");
}

TEST_P(StoreContract, WhatIsRemovedIsGoneAndItsNameFree) {
  store_.put("one", "1");
  EXPECT_TRUE(store_.remove("one"));
  EXPECT_FALSE(store_.remove("one"));
  EXPECT_FALSE(store_.stat("one").has_value());
  EXPECT_TRUE(listed(store_).empty());
  EXPECT_TRUE(store_.put("one", "2"));
  EXPECT_EQ(store_.get("one"), "2");
}

TEST_P(StoreContract, NamesThatLeadElsewhereAreRefused) {
  for (const char* const name :
       {"", "/", "/etc", "a/", "a//b", "../a", "a/../b", ".", "A", "a b", "a\n", "a_b", "a.b"}) {
    EXPECT_EQ(code_of([&] { store_.put(name, "x"); }), ErrorCode::kInvalidInput) << name;
    EXPECT_EQ(code_of([&] { store_.get(name); }), ErrorCode::kInvalidInput) << name;
    EXPECT_EQ(code_of([&] { store_.remove(name); }), ErrorCode::kInvalidInput) << name;
  }
  EXPECT_EQ(code_of([&] { store_.put(std::string(201, 'a'), "x"); }), ErrorCode::kInvalidInput);
  EXPECT_TRUE(listed(store_).empty());
}

TEST_P(StoreContract, OfManyWritersOfOneNameOneWins) {
  constexpr int kWriters = 8;
  for (int round = 0; round < 20; ++round) {
    const std::string name = "race/" + std::to_string(round);
    std::atomic<int> winners = 0;
    std::vector<std::thread> threads;
    for (int i = 0; i < kWriters; ++i) {
      threads.emplace_back([&, i] {
        if (store_.put(name, std::string(1000, static_cast<char>('a' + i)))) ++winners;
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(winners, 1);
    const std::string bytes = store_.get(name);
    EXPECT_EQ(bytes, std::string(1000, bytes.at(0)));
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, StoreContract, testing::Values("memory", "folder"),
                         [](const auto& kind) { return std::string(kind.param); });

TEST(FolderStore, OpensWhatIsThereAndMakesOnlyTheLastFolder) {
  const ScratchFolder scratch(fs::temp_directory_path());
  EXPECT_EQ(code_of([&] { FolderStore store(scratch.path() / "none"); }), ErrorCode::kNotFound);
  EXPECT_FALSE(fs::exists(scratch.path() / "none"));
  EXPECT_EQ(
      code_of([&] { FolderStore store(scratch.path() / "a/b", FolderStore::Missing::kCreate); }),
      ErrorCode::kNotFound);
  std::ofstream(scratch.path() / "file") << "x";
  EXPECT_EQ(code_of([&] { FolderStore store(scratch.path() / "file"); }), ErrorCode::kIo);
}

TEST(FolderStore, NobodyElseMayReadAndNobodyMayWrite) {
  const ScratchFolder scratch(fs::temp_directory_path());
  FolderStore store(scratch.path() / "store", FolderStore::Missing::kCreate);
  store.put("packs/ab/1", "x");
  struct stat status {};
  ASSERT_EQ(::stat((scratch.path() / "store/packs/ab/1").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0400u);
  ASSERT_EQ(::stat((scratch.path() / "store/packs").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0700u);
}

TEST(FolderStore, AFolderThatIsGoneIsNotMadeAgain) {
  const ScratchFolder scratch(fs::temp_directory_path());
  FolderStore store(scratch.path() / "store", FolderStore::Missing::kCreate);
  store.put("one", "1");
  fs::remove_all(scratch.path() / "store");
  EXPECT_EQ(code_of([&] { store.put("two", "2"); }), ErrorCode::kUnavailable);
  EXPECT_EQ(code_of([&] { store.put("packs/two", "2"); }), ErrorCode::kUnavailable);
  EXPECT_EQ(code_of([&] { store.get("one"); }), ErrorCode::kUnavailable);
  EXPECT_FALSE(fs::exists(scratch.path() / "store"));
}

TEST(FolderStore, WhatACrashLeftIsNoObjectAndIsSwept) {
  const ScratchFolder scratch(fs::temp_directory_path());
  FolderStore store(scratch.path() / "store", FolderStore::Missing::kCreate);
  store.put("one", "1");
  const fs::path left = scratch.path() / "store/.incoming/77-aa.part";
  std::ofstream(left) << "half";
  EXPECT_EQ(listed(store).size(), 1u);
  store.sweep_incoming(std::int64_t{3'600} * 1'000'000);
  EXPECT_TRUE(fs::exists(left));
  store.sweep_incoming(-1'000'000);
  EXPECT_FALSE(fs::exists(left));
  EXPECT_EQ(store.get("one"), "1");
}

TEST(FolderStore, LinksAreNoObjects) {
  const ScratchFolder scratch(fs::temp_directory_path());
  FolderStore store(scratch.path() / "store", FolderStore::Missing::kCreate);
  std::ofstream(scratch.path() / "outside") << "secret";
  fs::create_symlink(scratch.path() / "outside", scratch.path() / "store/one");
  EXPECT_TRUE(listed(store).empty());
  EXPECT_FALSE(store.stat("one").has_value());
  EXPECT_THROW(store.get("one"), Error);
}

TEST(MemoryStore, KeepsVersionsForAsLongAsTheyAreRetained) {
  FakeClock clock;
  MemoryStore store(clock, 1'000);
  store.put("one", "1");
  EXPECT_TRUE(store.remove("one"));  // hides it
  store.put("one", "2");
  ASSERT_EQ(store.versions("one").size(), 2u);
  EXPECT_EQ(store.versions("one")[0].bytes, "1");
  EXPECT_TRUE(store.versions("one")[0].hidden);
  EXPECT_EQ(code_of([&] { store.remove_version("one", 0); }), ErrorCode::kRefused);
  clock.now += 1'001;
  store.remove_version("one", 0);
  EXPECT_EQ(store.get("one"), "2");
  EXPECT_EQ(code_of([&] { store.remove_version("one", 5); }), ErrorCode::kNotFound);
}

std::unique_ptr<PacedStore> paced_memory(const Clock& clock, std::uint64_t bytes_per_second) {
  return std::make_unique<PacedStore>(std::make_unique<MemoryStore>(clock), bytes_per_second);
}

TEST(PacedStore, CountsWhatIsAskedOfIt) {
  const FakeClock clock;
  const auto store = paced_memory(clock, 0);
  store->put("a/1", "0123456789");
  store->get("a/1");
  store->get_part("a/1", 2, 3);
  store->stat("a/1");
  listed(*store);
  store->remove("a/1");
  const StoreRequests requests = store->requests();
  EXPECT_EQ(requests.total(), 6U);
  EXPECT_EQ(requests.gets, 2U);
  EXPECT_EQ(requests.lists, 1U);
  EXPECT_EQ(requests.bytes_put, 10U);
  EXPECT_EQ(requests.bytes_got, 13U);
}

TEST(PacedStore, WhatPassesThroughItStaysBelowTheRate) {
  const FakeClock clock;
  const auto store = paced_memory(clock, 1'000'000);
  const std::string bytes(50'000, 'x');
  const auto begin = std::chrono::steady_clock::now();
  {
    std::vector<std::jthread> threads;  // they share it
    for (int thread = 0; thread < 2; ++thread) {
      threads.emplace_back([&, thread] {
        for (int i = 0; i < 2; ++i) store->put(fmt::format("{}/{}", thread, i), bytes);
      });
    }
  }
  store->get("0/0");
  store->get_part("0/1", 0, 50'000);
  store->stat("0/0");
  const std::chrono::duration<double> time = std::chrono::steady_clock::now() - begin;
  // Six times 50 ms, of which the last need not be waited for.
  EXPECT_GE(time.count(), 0.249);
  EXPECT_LT(time.count(), 1.0);
}

TEST(FaultStores, GoWrongWhereTheyAreToldTo) {
  FakeClock clock;
  MemoryStore memory(clock);
  FailingStore failing(memory, 2);
  EXPECT_TRUE(failing.put("a", "1"));
  EXPECT_EQ(code_of([&] { failing.put("b", "2"); }), ErrorCode::kUnavailable);
  EXPECT_TRUE(failing.put("b", "2"));

  LostAnswerStore lost_answer(memory, 1);
  EXPECT_EQ(code_of([&] { lost_answer.put("c", "3"); }), ErrorCode::kUnavailable);
  EXPECT_EQ(memory.get("c"), "3");

  LyingStore torn(memory, 1, LyingStore::Lie::kTorn), lost(memory, 1, LyingStore::Lie::kLost);
  EXPECT_TRUE(torn.put("d", "1234"));
  EXPECT_EQ(memory.get("d"), "12");
  EXPECT_TRUE(lost.put("e", "5"));
  EXPECT_FALSE(memory.stat("e").has_value());

  FullStore full(memory, 3);
  EXPECT_TRUE(full.put("f", "12"));
  EXPECT_EQ(code_of([&] { full.put("g", "34"); }), ErrorCode::kDiskFull);
}

}  // namespace
}  // namespace coppice
