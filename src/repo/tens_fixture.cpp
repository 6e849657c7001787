#include "repo/tens_fixture.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "repo/commit.h"
#include "repo/reach.h"

namespace coppice::repo {

using nlohmann::json;

std::string blob_of_ten(int number) {
  return "blob " + std::to_string(number) + std::string(60, 'b');
}

std::vector<std::string> blobs_of_tens(const std::vector<int>& tens) {
  std::vector<std::string> all;
  for (const int ten : tens) {
    for (int i = ten; i < ten + 10; ++i) all.push_back(blob_of_ten(i));
  }
  std::sort(all.begin(), all.end());
  return all;
}

Repository TensRepository::open() {
  Repository repository = Repository::open(store, key);
  repository.load_index();
  return repository;
}

ObjectId TensRepository::back_up(const std::vector<int>& tens) {
  Repository repository = open();
  BlobWriter writer(repository, begin_backup(repository, {.pack_bytes = 400}));
  json trees = json::array();
  for (const int ten : tens) {
    json names = json::array();
    for (int i = ten; i < ten + 10; ++i) names.push_back(writer.add(blob_of_ten(i)).hex());
    trees.push_back(writer.add_tree(json{{"blobs", names}, {"ten", ten}}.dump()).hex());
  }
  const BlobId root = writer.add_tree(json{{"trees", trees}}.dump());
  clock.now += 1'000'000;
  return commit(repository, writer, json{{"trees", {root.hex()}}, {"tens", tens}}.dump());
}

std::vector<std::string> TensRepository::names(const std::string& folder) {
  std::vector<std::string> all;
  store.list(folder, [&](const ObjectInfo& info) { all.push_back(info.name); });
  std::sort(all.begin(), all.end());
  return all;
}

void TensRepository::flip_a_bit(const std::string& name) {
  std::string bytes = store.get(name);
  bytes[bytes.size() / 2] ^= 0x10;
  store.overwrite(name, bytes);
}

std::vector<std::string> TensRepository::blobs(const ObjectId& backup) {
  const Repository repository = open();
  std::vector<std::string> all;
  Walk(repository, [&](const BlobId& id) {
    const std::string bytes = repository.read(id);
    if (bytes.starts_with("blob ")) all.push_back(bytes);
  }).manifest(backup);
  std::sort(all.begin(), all.end());
  return all;
}

}  // namespace coppice::repo
