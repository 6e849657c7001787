#include "repo/testing/counted_backups.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "repo/commit.h"
#include "repo/reach.h"

namespace coppice::repo {
namespace {

using nlohmann::json;

constexpr int kTables = 6;
constexpr int kBlobsOfTable = 10;

std::string blob(int number) { return fmt::format("blob {}{}", number, std::string(40, 'b')); }

std::string tree_text(const Keys& keys, const std::set<int>& numbers) {
  json names = json::array();
  for (const int number : numbers) names.push_back(keys.blob_id(blob(number)).hex());
  return json{{"blobs", names}, {"numbers", numbers}}.dump();
}

// By table, as the root of the backup has them.
std::map<int, BlobId> read_tables(const Repository& repository, const ObjectId& id) {
  std::map<int, BlobId> trees;
  for (const BlobId& root : read_roots("the manifest", repository.read_manifest(id))) {
    const json content = json::parse(repository.read(root));
    for (const auto& [table, tree] : content.at("tables").items()) {
      trees[std::stoi(table)] = {digest_from_hex(tree.get<std::string>())};
    }
  }
  return trees;
}

// Of the newest backup there was when the repository was opened, if it can be read.
std::map<int, BlobId> tables_before(const Repository& repository) {
  const std::vector<ManifestInfo> listed = repository.listed_manifests();
  if (listed.empty()) return {};
  try {
    return read_tables(repository, listed.back().id);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kNotFound && error.code() != ErrorCode::kIntegrity) throw;
    return {};
  }
}

WriterOptions options_of(const CountedBackup& backup) {
  WriterOptions options{.pack_bytes = backup.pack_bytes};
  if (backup.pace != Pace::kQuick) options.marks_for = std::chrono::seconds(0);
  if (backup.pace == Pace::kDays) {
    options.trust_for = std::chrono::seconds(0);
    options.index_every = std::chrono::seconds(0);
  }
  return options;
}

}  // namespace

Content draw_backup(std::mt19937& random, Content before) {
  const auto pick = [&](int below) {
    return std::uniform_int_distribution<int>(0, below - 1)(random);
  };
  for (int i = before.empty() ? kTables : 1 + pick(2); i > 0; --i) {
    const int table = pick(kTables);
    const int first = pick(4), count = 1 + pick(kBlobsOfTable);
    std::set<int>& numbers = before[table];
    numbers.clear();
    for (int n = first; n < first + count; ++n) {
      numbers.insert(table * kBlobsOfTable + n % kBlobsOfTable);
    }
  }
  return before;
}

void back_up(ObjectStore& store, const Opener& opener, const CountedBackup& backup,
             const std::function<void(Phase)>& on_phase) {
  Repository repository = Repository::open(store, opener);
  repository.load_index();
  BlobWriter writer(repository, begin_backup(repository, options_of(backup)));
  on_phase(Phase::kBegan);
  const std::map<int, BlobId> there = tables_before(repository);
  json names = json::array(), tables = json::object();
  for (const auto& [table, numbers] : backup.content) {
    const std::string text = tree_text(repository.keys(), numbers);
    BlobId tree = repository.keys().blob_id(text);
    const auto before = there.find(table);
    if (before == there.end() || before->second != tree) {
      for (const int one : numbers) writer.add(blob(one));
      tree = writer.add_tree(text);
    }
    names.push_back(tree.hex());
    tables[std::to_string(table)] = tree.hex();
    on_phase(Phase::kTableDone);
  }
  const BlobId root = writer.add_tree(json{{"trees", names}, {"tables", tables}}.dump());
  on_phase(Phase::kCommits);
  commit(repository, writer, json{{"trees", {root.hex()}}, {"number", backup.number}}.dump());
}

int number_of(const Repository& repository, const ObjectId& id) {
  return json::parse(repository.read_manifest(id)).at("number").get<int>();
}

std::string read_back(const Repository& repository, const ObjectId& id, const Content& expected) {
  Content found;
  for (const auto& [table, tree] : read_tables(repository, id)) {
    const std::string text = repository.read(tree);
    found[table] = json::parse(text).at("numbers").get<std::set<int>>();
    if (text != tree_text(repository.keys(), found[table])) return "another tree";
    for (const int number : found[table]) {
      if (repository.read(repository.keys().blob_id(blob(number))) != blob(number)) {
        return fmt::format("other bytes in blob {}", number);
      }
    }
  }
  return found == expected ? "" : "another backup's content";
}

}  // namespace coppice::repo
