// Repositories as earlier versions wrote them (tests/formats) are read as a whole by this one.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "base/files.h"
#include "objects/folder_store.h"
#include "repo/check.h"
#include "repo/marks.h"
#include "repo/reach.h"
#include "repo/repo_fixture.h"

namespace coppice::repo {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

const fs::path kGolden = COPPICE_GOLDEN;

// Digests of the files of a folder, by their names in it.
std::map<std::string, std::string> digests(const fs::path& folder) {
  std::map<std::string, std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (!entry.is_regular_file() || entry.path().filename() == "SHA256SUMS") continue;
    files[fs::relative(entry.path(), folder).string()] = to_hex(sha256_file(entry.path()));
  }
  return files;
}

// Lines of sha256sum.
std::map<std::string, std::string> listed_digests(const fs::path& file) {
  std::map<std::string, std::string> files;
  std::ifstream in(file);
  for (std::string digest, name; in >> digest >> name;) files[name] = digest;
  return files;
}

struct Golden {
  std::string folder;
  Opener opener;
  std::size_t epochs;
};

std::vector<Golden> repositories() {
  const Secret key{Secret::Kind::kKeyFile, read_file(kGolden / "repository-1/key")};
  const Secret passphrase{Secret::Kind::kPassphrase, "correct horse battery staple"};
  return {{"passphrase", passphrase, 2},
          {"passphrase", key, 2},
          {"key-file", key, 2},
          {"plain", std::nullopt, 0}};
}

TEST(Golden, FilesAreNeverWrittenAgain) {
  const auto listed = listed_digests(kGolden / "repository-1/SHA256SUMS");
  EXPECT_GE(listed.size(), 40u);
  EXPECT_EQ(digests(kGolden / "repository-1"), listed);
}

TEST(Golden, EveryRepositoryIsReadAsAWhole) {
  const auto before = digests(kGolden);
  for (const Golden& golden : repositories()) {
    SCOPED_TRACE(golden.folder);
    FolderStore store(kGolden / "repository-1" / golden.folder);
    Repository repository = Repository::open(store, golden.opener);
    EXPECT_EQ(repository.encrypted(), golden.opener.has_value());
    EXPECT_EQ(repository.listing().epochs.size(), golden.epochs);
    ASSERT_TRUE(repository.load_index().empty());
    ASSERT_EQ(repository.listed_manifests().size(), 2u);
    std::map<int, std::map<std::string, std::string>> backups;
    for (const ManifestInfo& info : repository.listed_manifests()) {
      const json manifest = json::parse(repository.read_manifest(info.id));
      std::set<BlobId> reached;
      Walk(repository, [&](const BlobId& id) { reached.insert(id); }).manifest(info.id);
      for (const json& file : manifest.at("files")) {
        const BlobId id{digest_from_hex(file.at("blob").get<std::string>())};
        const std::string bytes = repository.read(id);
        EXPECT_TRUE(reached.contains(id));
        EXPECT_EQ(to_hex(sha256(bytes)), file.at("sha256"));
        EXPECT_EQ(bytes.size(), file.at("size_bytes"));
        backups[manifest.at("number").get<int>()][file.at("name").get<std::string>()] = bytes;
      }
    }
    EXPECT_EQ(backups[1].size(), 6u);
    EXPECT_EQ(backups[2].size(), 7u);
    EXPECT_EQ(backups[1]["greeting"], "golden blob of the first backup\n");
    EXPECT_EQ(backups[1]["empty"], "");
    EXPECT_EQ(backups[2]["zeros"], std::string(5'000, '\0'));
    EXPECT_EQ(backups[2]["news"], "golden blob of the second backup\n");
    EXPECT_FALSE(backups[2].contains("text"));
    EXPECT_EQ(marked_packs(read_marks(repository)).size(), 1u);
  }
  EXPECT_EQ(digests(kGolden), before);
}

TEST(Golden, NothingIsWrongWithThem) {
  for (const Golden& golden : repositories()) {
    FolderStore store(kGolden / "repository-1" / golden.folder);
    const CheckReport report =
        check(Repository::open(store, golden.opener), {.level = CheckOptions::Level::kData});
    EXPECT_TRUE(report.intact()) << golden.folder << ": " << report.damages[0].what;
    EXPECT_EQ(report.manifests.size(), 2u);
    EXPECT_EQ(report.unindexed.size(), 2u);
  }
}

}  // namespace
}  // namespace coppice::repo
