#include "repo/reach.h"

#include <fmt/core.h>

#include <nlohmann/json.hpp>

#include "base/error.h"

namespace coppice::repo {
namespace {

using nlohmann::json;

json parsed(const std::string& name, std::string_view text) {
  json content = json::parse(text, nullptr, false);
  if (content.is_object()) return content;
  throw Error(ErrorCode::kIntegrity, fmt::format("{} is no JSON object", name));
}

// Ids in a member; none when there is no such member.
std::vector<BlobId> ids_in(const std::string& name, const json& content, const char* member) {
  std::vector<BlobId> ids;
  const auto found = content.find(member);
  if (found == content.end()) return ids;
  if (!found->is_array()) {
    throw Error(ErrorCode::kIntegrity, fmt::format("\"{}\" of {} is no list", member, name));
  }
  for (const json& id : *found) {
    if (!id.is_string()) {
      throw Error(ErrorCode::kIntegrity, fmt::format("\"{}\" of {} has no ids", member, name));
    }
    ids.push_back({digest_from_hex(id.get<std::string>())});
  }
  return ids;
}

}  // namespace

TreeLinks read_tree(const std::string& name, std::string_view text) {
  const json content = parsed(name, text);
  return {ids_in(name, content, "blobs"), ids_in(name, content, "trees")};
}

std::vector<BlobId> read_roots(const std::string& name, std::string_view text) {
  return ids_in(name, parsed(name, text), "trees");
}

void Walk::manifest(const ObjectId& id) {
  manifest_text(object_name(kBackupFolder, id), repository_.read_manifest(id));
}

void Walk::manifest_text(const std::string& name, std::string_view text) {
  trees(read_roots(name, text));
}

void Walk::trees(std::vector<BlobId> left) {
  while (!left.empty()) {
    const BlobId id = left.back();
    left.pop_back();
    if (!seen_.insert(id).second) continue;
    visit_(id);
    if (visit_tree_) visit_tree_(id);
    const std::string name = "the tree " + id.hex();
    const TreeLinks links = read_tree(name, repository_.read(id));
    for (const BlobId& blob : links.blobs) visit_(blob);
    left.insert(left.end(), links.trees.begin(), links.trees.end());
  }
}

void walk_all(const Repository& repository, const std::function<void(const BlobId&)>& visit) {
  Walk walk(repository, visit);
  for (const ManifestInfo& info : repository.list_manifests()) {
    try {
      walk.manifest(info.id);
    } catch (const Error& error) {
      // Forgotten between the list and the reading.
      const bool gone = error.code() == ErrorCode::kNotFound &&
                        !repository.store().stat(object_name(kBackupFolder, info.id));
      if (!gone) throw;
    }
  }
}

}  // namespace coppice::repo
