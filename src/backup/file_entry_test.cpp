#include "backup/file_entry.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>

#include "base/error.h"
#include "repo/commit.h"
#include "repo/repo_fixture.h"

namespace coppice {
namespace {

using nlohmann::json;

FileEntry file_named(std::string name) {
  FileEntry entry;
  entry.name = std::move(name);
  entry.mode = 04640;
  entry.uid = 1000;
  entry.gid = 50;
  entry.user = "ann";
  entry.modified_ns = 1'700'000'000'123'456'789;
  entry.changed_ns = -5;
  entry.inode = ~std::uint64_t{0};
  return entry;
}

struct Folders {
  repo::TestRepository place;
  repo::BlobWriter writer{place.repository, repo::begin_backup(place.repository)};

  std::vector<repo::BlobId> write(const std::vector<FileEntry>& entries) {
    FolderWriter folder(writer);
    for (const FileEntry& entry : entries) folder.add(entry);
    auto parts = folder.finish();
    writer.flush();
    return parts;
  }
  std::vector<FileEntry> read(const std::vector<repo::BlobId>& parts) {
    std::vector<FileEntry> entries;
    for_each_entry(place.repository, parts,
                   [&](FileEntry entry) { entries.push_back(std::move(entry)); });
    return entries;
  }
  // Of a part that no writer makes.
  Error refusal(const json& entries) {
    TreeBuilder tree;
    tree.members()["entries"] = entries;
    const repo::BlobId id = tree.write(writer);
    writer.flush();
    return repo::thrown_by([&] { read({id}); });
  }
};

json member_named(const json& name) {
  return {{"name", name}, {"type", "link"}, {"mode", 511},  {"uid", 0},
          {"gid", 0},     {"mtime", 0},     {"target", "x"}};
}

TEST(FileEntry, IsReadAsItWasWritten) {
  Folders folders;
  FileEntry link = file_named("b\xff\n"), folder = file_named("c"), file = file_named("a");
  link.kind = FileKind::kLink;
  link.target = "../\xfe else";
  folder.kind = FileKind::kFolder;
  folder.digest = sha256("below");
  file.is_sparse = file.is_fresh = true;
  file.device = 7;
  const auto found = folders.read(folders.write({file, link, folder}));
  ASSERT_EQ(found.size(), 3U);
  EXPECT_EQ(found[0].name, "a");
  EXPECT_EQ(found[0].mode, 04640U);
  EXPECT_EQ(found[0].uid, 1000U);
  EXPECT_EQ(found[0].user, "ann");
  EXPECT_EQ(found[0].group, "");
  EXPECT_EQ(found[0].modified_ns, file.modified_ns);
  EXPECT_EQ(found[0].changed_ns, -5);
  EXPECT_EQ(found[0].inode, file.inode);
  EXPECT_TRUE(found[0].is_sparse && found[0].is_fresh);
  EXPECT_EQ(found[0].device, 7U);
  EXPECT_EQ(found[1].name, link.name);
  EXPECT_EQ(found[1].target, link.target);
  EXPECT_EQ(found[2].kind, FileKind::kFolder);
  EXPECT_EQ(found[2].digest, folder.digest);
}

TEST(FileEntry, OfALargeFolderStandsInParts) {
  Folders folders;
  std::vector<FileEntry> entries;
  for (int i = 0; i < 6'000; ++i) entries.push_back(file_named(std::to_string(100'000 + i)));
  const auto parts = folders.write(entries);
  EXPECT_GT(parts.size(), 2U);
  EXPECT_EQ(folders.read(parts).size(), entries.size());
  entries.insert(entries.begin(), file_named("0"));
  const std::set<repo::BlobId> known(parts.begin(), parts.end());
  std::size_t fresh = 0;
  for (const auto& part : folders.write(entries)) fresh += known.contains(part) ? 0 : 1;
  EXPECT_LE(fresh, 3U);
}

TEST(FileEntry, ThatLeadsOutOfItsFolderIsRefused) {
  Folders folders;
  const std::string nul("a\0b", 3);
  for (const std::string& name :
       {std::string(), std::string("."), std::string(".."), std::string("a/b"), std::string("/etc"),
        std::string("../x"), nul, std::string(256, 'n')}) {
    EXPECT_EQ(folders.refusal({member_named(name)}).code(), ErrorCode::kIntegrity) << name;
  }
  json base64 = member_named("x");
  base64.erase("name");
  base64["name_base64"] = "Li4=";  // ..
  EXPECT_EQ(folders.refusal({base64}).code(), ErrorCode::kIntegrity);
  // A link, and what is to be written through it.
  EXPECT_EQ(folders.refusal({member_named("a"), member_named("a")}).code(), ErrorCode::kIntegrity);
  EXPECT_EQ(folders.refusal({member_named("b"), member_named("a")}).code(), ErrorCode::kIntegrity);
  json other = member_named("a");
  other["type"] = "device";
  EXPECT_EQ(folders.refusal({other}).code(), ErrorCode::kIntegrity);
  other = member_named("a");
  other["target"] = "";
  EXPECT_EQ(folders.refusal({other}).code(), ErrorCode::kIntegrity);
  EXPECT_EQ(folders.refusal("no list").code(), ErrorCode::kIntegrity);
}

TEST(FolderDigest, SeesNamesKindsPermissionsAndContents) {
  const auto digest = [](const FileEntry& entry) {
    FolderDigest folder;
    folder.add(entry);
    return folder.finish();
  };
  const FileEntry file = file_named("a");
  FileEntry other = file;
  other.uid = 5;
  other.modified_ns = 5;
  other.mode = 0640;  // without the set-user bit
  EXPECT_EQ(digest(other), digest(file));
  other.mode = 0600;
  EXPECT_NE(digest(other), digest(file));
  other = file;
  other.content.sha256 = sha256("x");
  EXPECT_NE(digest(other), digest(file));
  other = file;
  other.name = "b";
  EXPECT_NE(digest(other), digest(file));
  other = file;
  other.kind = FileKind::kFolder;
  EXPECT_NE(digest(other), digest(file));
}

TEST(ShownPath, IsReadAgain) {
  for (const std::string path :
       {"a/b c", "\xff/\xc3\xa9", "\xc3\xa9/u", "a\\x41", "a\nb\x7f", ""}) {
    EXPECT_EQ(path_shown_as(shown_path(path)), path);
  }
  EXPECT_EQ(shown_path("\xc3\xa9/u"), "\xc3\xa9/u");
  EXPECT_EQ(shown_path("a\n\xff"), "a\\x0a\\xff");
  EXPECT_EQ(repo::thrown_by([] { path_shown_as("a\\n"); }).code(), ErrorCode::kUsage);
  EXPECT_EQ(repo::thrown_by([] { path_shown_as("a\\x0"); }).code(), ErrorCode::kUsage);
}

}  // namespace
}  // namespace coppice
