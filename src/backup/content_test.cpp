#include "backup/content.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <random>
#include <set>

#include "base/error.h"
#include "repo/commit.h"
#include "repo/repo_fixture.h"

namespace coppice {
namespace {

constexpr ChunkSizes kSmall{64, 256, 1024};

struct Contents {
  repo::TestRepository place;
  repo::BlobWriter writer{place.repository, repo::begin_backup(place.repository)};
  GearTable gear = gear_table(place.repository.keys());

  Content write(std::string_view bytes, std::size_t step = 10'000) {
    ContentWriter content(writer, gear, kSmall);
    for (std::size_t at = 0; at < bytes.size(); at += step) content.add(bytes.substr(at, step));
    Content done = content.finish();
    writer.flush();
    return done;
  }
  std::string read(const Content& content) {
    std::string bytes;
    read_content(place.repository, content, [&](std::string_view some) { bytes += some; });
    return bytes;
  }
};

std::string noise(std::size_t size) {
  std::mt19937_64 random(size);
  std::string text;
  while (text.size() < size) text += static_cast<char>(random());
  return text;
}

TEST(Content, IsReadAsItWasWritten) {
  Contents contents;
  for (const std::size_t size : {0, 1, 64, 5'000, 300'000, 3'000'000}) {
    const std::string bytes = noise(size);
    const Content content = contents.write(bytes);
    EXPECT_EQ(content.size_bytes, size);
    EXPECT_EQ(content.sha256, sha256(bytes));
    EXPECT_EQ(contents.read(content), bytes) << size;
  }
}

TEST(Content, OfManyBlobsStandsInParts) {
  Contents contents;
  const std::string bytes = noise(3'000'000);
  const Content content = contents.write(bytes);
  EXPECT_TRUE(content.blobs.empty());
  EXPECT_GT(content.parts.size(), 3U);
  EXPECT_TRUE(contents.write("short").parts.empty());
  // What is put in front changes the first of them.
  const Content longer = contents.write("in front" + bytes);
  const std::set<repo::BlobId> known(content.parts.begin(), content.parts.end());
  std::size_t fresh = 0;
  for (const repo::BlobId& part : longer.parts) fresh += known.contains(part) ? 0 : 1;
  EXPECT_LE(fresh, 2U);
}

TEST(Content, StandsInATree) {
  Contents contents;
  for (const std::size_t size : {5, 3'000'000}) {
    const Content content = contents.write(noise(size));
    TreeBuilder builder;
    nlohmann::json member;
    add_content(content, builder, member);
    builder.members()["it"] = member;
    const repo::BlobId id = builder.write(contents.writer);
    contents.writer.flush();
    const Tree tree = Tree::read(contents.place.repository, id);
    EXPECT_EQ(contents.read(content_in(tree, tree.member("it"))), noise(size));
  }
}

TEST(Content, OfOtherBytesThanItsDigestIsDamaged) {
  Contents contents;
  Content content = contents.write("what was written");
  content.sha256 = sha256("something else");
  EXPECT_EQ(repo::thrown_by([&] { contents.read(content); }).code(), ErrorCode::kIntegrity);
}

TEST(Content, OfTheSameBytesIsStoredOnce) {
  Contents contents;
  const std::string bytes = noise(100'000);
  contents.write(bytes);
  const auto before = contents.writer.counts();
  contents.write(bytes, 77);
  EXPECT_EQ(contents.writer.counts().new_blobs, before.new_blobs);
}

}  // namespace
}  // namespace coppice
