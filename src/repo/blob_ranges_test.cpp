#include "repo/blob_ranges.h"

#include <gtest/gtest.h>

#include <map>

#include "base/clock.h"
#include "objects/testing/fault_stores.h"
#include "repo/repo_fixture.h"

namespace coppice::repo {
namespace {

std::string text_of(std::size_t number) {
  return "document " + std::to_string(number) + std::string(number % 900, 'x');
}

std::map<std::size_t, std::string> read_all(const Repository& repository,
                                            const std::vector<BlobRange>& ranges) {
  std::map<std::size_t, std::string> read;
  for (const BlobRange& range : ranges) {
    read_range(repository, range, [&](std::size_t number, std::string_view bytes) {
      EXPECT_TRUE(read.emplace(number, bytes).second) << number;
    });
  }
  return read;
}

struct Written : TestRepository {
  CountingStore counting{store};
  std::vector<BlobId> ids;

  void write(std::size_t count, const WriterOptions& options) {
    BlobWriter writer(repository, options);
    for (std::size_t i = 0; i < count; ++i) ids.push_back(writer.add(text_of(i)));
    writer.flush();
  }
  Repository opened() {
    Repository again = Repository::open(counting, kKeyFile);
    again.load_index();
    return again;
  }
};

TEST(BlobRanges, NeighboursAreReadByOneRequest) {
  Written test;
  test.write(2'000, {});
  const Repository repository = test.opened();
  const std::uint64_t before = test.counting.total();
  const std::vector<BlobRange> ranges = ranges_of(repository, test.ids);
  const auto read = read_all(repository, ranges);
  EXPECT_EQ(test.counting.total() - before, 1u);
  ASSERT_EQ(read.size(), test.ids.size());
  for (const auto& [number, bytes] : read) EXPECT_EQ(bytes, text_of(number));
}

TEST(BlobRanges, SeveralPacksAnyOrderAndTheSameBlobTwice) {
  Written test;
  test.write(3'000, {.pack_bytes = 64 << 10});
  const Repository repository = test.opened();
  const std::vector<BlobId> wanted = {test.ids[2'999], test.ids[0], test.ids[7], test.ids[0]};
  const auto read = read_all(repository, ranges_of(repository, wanted));
  EXPECT_EQ(read, (std::map<std::size_t, std::string>{
                      {0, text_of(2'999)}, {1, text_of(0)}, {2, text_of(7)}, {3, text_of(0)}}));
}

TEST(BlobRanges, ARangeIsBounded) {
  Written test;
  {
    BlobWriter writer(test.repository);
    for (int i = 0; i < 24; ++i) test.ids.push_back(writer.add(random_bytes(1 << 20)));
    writer.flush();
  }
  const Repository repository = test.opened();
  const std::vector<BlobRange> ranges = ranges_of(repository, test.ids);
  EXPECT_GE(ranges.size(), 8u);  // of 3 MiB and some bytes
  for (const BlobRange& range : ranges) EXPECT_LE(range.size_bytes, kRangeBytes);
  EXPECT_EQ(read_all(repository, ranges).size(), 24u);
}

TEST(BlobRanges, FarNeighboursAreReadApart) {
  Written test;
  {
    BlobWriter writer(test.repository);
    test.ids.push_back(writer.add("first"));
    writer.add(random_bytes(1 << 20));
    test.ids.push_back(writer.add("last"));
    writer.flush();
  }
  const Repository repository = test.opened();
  const std::vector<BlobRange> ranges = ranges_of(repository, test.ids);
  EXPECT_EQ(ranges.size(), 2u);
  EXPECT_EQ(read_all(repository, ranges).size(), 2u);
}

TEST(BlobRanges, WhatNoIndexNamesIsInNone) {
  Written test;
  test.write(10, {});
  const Repository repository = test.opened();
  std::vector<BlobId> ids = test.ids;
  ids.push_back(repository.keys().blob_id("never given"));
  EXPECT_EQ(read_all(repository, ranges_of(repository, ids)).size(), 10u);
}

TEST(BlobRanges, DamageNamesThePackAndKeepsWhatCameBefore) {
  Written test;
  test.write(100, {});
  const Repository good = test.opened();
  const std::vector<BlobRange> ranges = ranges_of(good, test.ids);
  ASSERT_EQ(ranges.size(), 1u);
  const BlobRange::Blob& hit = ranges[0].blobs[60];
  const std::string name = pack_name(ranges[0].pack.id);
  std::string bytes = test.store.get(name);
  bytes[hit.entry.offset + 3] ^= 1;
  test.store.remove(name);
  test.store.put(name, bytes);
  std::size_t given = 0;
  const Error error = thrown_by([&] {
    read_range(good, ranges[0], [&](std::size_t number, std::string_view plain) {
      EXPECT_EQ(plain, text_of(number));
      ++given;
    });
  });
  EXPECT_EQ(error.code(), ErrorCode::kIntegrity);
  EXPECT_NE(error.message().find(name), std::string::npos) << error.message();
  EXPECT_EQ(given, 60u);
}

}  // namespace
}  // namespace coppice::repo
