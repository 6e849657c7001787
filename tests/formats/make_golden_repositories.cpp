// make_golden_repositories: makes the golden repositories of format 1, once.
//
//   make_golden_repositories FOLDER      which must not exist
#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "base/files.h"
#include "base/sha256.h"
#include "objects/folder_store.h"
#include "repo/commit.h"
#include "repo/marks.h"
#include "repo/repository.h"

namespace coppice::repo {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using Files = std::vector<std::pair<std::string, std::string>>;

const Secret kPassphrase{Secret::Kind::kPassphrase, "correct horse battery staple"};
const Secret kKey{Secret::Kind::kKeyFile, "golden key file of format 1: 0123456789abcdef\n"};

std::string incompressible(std::size_t size_bytes, std::uint32_t seed) {
  std::mt19937 random(seed);
  std::string bytes(size_bytes, '\0');
  for (char& each : bytes) each = static_cast<char>(random() & 0xff);
  return bytes;
}

std::string text(int lines, const std::string& word) {
  std::string bytes;
  for (int i = 0; i < lines; ++i) bytes += word + " " + std::to_string(i * i) + "\n";
  return bytes;
}

Files first_files() {
  return {{"greeting", "golden blob of the first backup\n"},
          {"empty", ""},
          {"zeros", std::string(5'000, '\0')},
          {"text", text(400, "line")},
          {"noise", incompressible(9'000, 1)},
          {"text-at-the-limit", text(12, "short")}};
}

Files second_files() {
  Files files = first_files();
  files.erase(files.begin() + 3);  // "text" goes
  files.emplace_back("news", "golden blob of the second backup\n");
  files.emplace_back("more-noise", incompressible(4'000, 2));
  return files;
}

void back_up(Repository& repository, int number, const Files& files) {
  repository.load_index(Repository::AsOf::kNow);
  BlobWriter writer(repository, begin_backup(repository, {.pack_bytes = 8'000}));
  json described = json::array(), trees = json::array(), blobs = json::array();
  for (const auto& [name, bytes] : files) {
    const BlobId id = writer.add(bytes);
    blobs.push_back(id.hex());
    described.push_back({{"name", name},
                         {"blob", id.hex()},
                         {"size_bytes", bytes.size()},
                         {"sha256", to_hex(sha256(bytes))}});
    if (blobs.size() < 3) continue;
    trees.push_back(writer.add_tree(json{{"blobs", blobs}}.dump()).hex());
    blobs.clear();
  }
  const BlobId root = writer.add_tree(json{{"blobs", blobs}, {"trees", trees}}.dump());
  commit(repository, writer,
         json{{"trees", {root.hex()}}, {"number", number}, {"files", described}}.dump());
}

// What backups leave behind: a blob that is there twice, a pack of no index, and a mark.
void leave_behind(const Repository& golden, const Opener& opener) {
  ObjectStore& store = golden.store();
  Repository repository = Repository::open(store, opener);  // its index is not loaded
  BlobWriter writer(repository);
  writer.add(first_files().at(0).second);
  writer.flush();
  for (const char* const content : {"a pack of no index", "a pack that is marked"}) {
    PackBuilder builder(repository.keys());
    builder.add(encode_blob(repository.keys().blob_id(content), content, false));
    const Pack pack = builder.finish();
    store.put(pack_name(pack.id), pack.bytes);
    if (std::string(content) == "a pack that is marked") write_mark(repository, {pack.id});
  }
}

void make(const fs::path& folder, const Opener& opener, const Opener& second) {
  FolderStore store(folder, FolderStore::Missing::kCreate);
  const SystemClock clock;
  {
    Repository repository = Repository::create(store, opener, clock);
    back_up(repository, 1, first_files());
    if (second) add_access(store, repository.keys(), *second, "second", clock);
  }
  if (opener) {
    Keys keys = open_access(store, *opener);
    start_epoch(store, keys, clock);
  }
  Repository repository = Repository::open(store, opener);
  back_up(repository, 2, second_files());
  leave_behind(repository, opener);
  fs::remove(folder / ".incoming");
}

void make_all(const fs::path& folder) {
  if (!fs::create_directory(folder)) {
    throw Error(ErrorCode::kAlreadyExists, "golden repositories are never made again");
  }
  make(folder / "passphrase", kPassphrase, kKey);
  make(folder / "key-file", kKey, std::nullopt);
  make(folder / "plain", std::nullopt, std::nullopt);
  write_file_atomically(folder / "key", kKey.bytes, 0644);
}

}  // namespace
}  // namespace coppice::repo

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: make_golden_repositories FOLDER\n");
    return 2;
  }
  try {
    coppice::repo::make_all(argv[1]);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "make_golden_repositories: %s\n", error.what());
    return 1;
  }
  return 0;
}
