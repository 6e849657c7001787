#include "recovery/other_data.h"

#include <gtest/gtest.h>

#include "repo/commit.h"
#include "repo/repo_fixture.h"

namespace coppice::recovery {
namespace {

struct Place {
  repo::TestRepository place;
  repo::BlobWriter writer{place.repository, repo::begin_backup(place.repository)};

  OtherData read_again(const OtherData& data) {
    Manifest manifest;
    manifest.kind = kOtherDataBackup;
    manifest.tree = write_other_data(data, writer);
    writer.flush();
    return read_other_data(place.repository, manifest);
  }
};

FileSource source_at(std::string path) {
  FileSource source{std::move(path), {}};
  source.entry.name = "name";
  source.entry.kind = FileKind::kLink;
  source.entry.target = "target";
  return source;
}

DumpedDatabase some_dump() {
  DumpedDatabase dump;
  dump.address = "postgresql://host:5432/shop";
  dump.database = "shop";
  dump.server_version = 150020;
  dump.program = "pg_dump 15.20";
  dump.program_major = 15;
  dump.roles = {"ann", "bob \"the\" builder"};
  dump.content.sha256 = sha256("dump");
  return dump;
}

TEST(OtherData, IsReadAsItWasWritten) {
  Place place;
  OtherData data;
  data.dump = some_dump();
  data.sources = {source_at("/"), source_at("/srv/not \xff utf-8")};
  data.left_out = {"/srv/pipe: it is a named pipe"};
  const OtherData again = place.read_again(data);
  ASSERT_TRUE(again.dump.has_value());
  EXPECT_EQ(again.dump->roles, data.dump->roles);
  EXPECT_EQ(again.dump->program_major, 15);
  ASSERT_EQ(again.sources.size(), 2U);
  EXPECT_EQ(again.sources[1].path, data.sources[1].path);
  EXPECT_EQ(again.sources[1].entry.target, "target");
  EXPECT_EQ(again.left_out, data.left_out);
  EXPECT_EQ(again.root(), data.root());
}

TEST(OtherData, HasAnotherRootWhenAnythingIsOther) {
  OtherData data;
  data.dump = some_dump();
  data.sources = {source_at("/srv")};
  const std::string root = data.root();
  OtherData other = data;
  other.dump->content.sha256 = sha256("another");
  EXPECT_NE(other.root(), root);
  other = data;
  other.dump.reset();
  EXPECT_NE(other.root(), root);
  other = data;
  other.sources[0].path = "/srw";
  EXPECT_NE(other.root(), root);
  other = data;
  other.sources[0].entry.target = "elsewhere";
  EXPECT_NE(other.root(), root);
  other = data;
  other.sources.clear();
  EXPECT_NE(other.root(), root);
}

TEST(OtherData, WithAPathThatLeadsElsewhereIsRefused) {
  for (const std::string path : {"/..", "/srv/../../etc", "srv", "", "/srv//x", "/srv/", "/./x"}) {
    Place place;
    OtherData data;
    data.sources = {source_at(path)};
    EXPECT_EQ(repo::thrown_by([&] { place.read_again(data); }).code(), ErrorCode::kIntegrity)
        << path;
  }
}

TEST(OtherData, IsNoneOfAHome) {
  Place place;
  Manifest manifest;
  EXPECT_EQ(repo::thrown_by([&] { read_other_data(place.place.repository, manifest); }).code(),
            ErrorCode::kUsage);
}

}  // namespace
}  // namespace coppice::recovery
