#include "backup/tree.h"

#include <fmt/core.h>

#include <nlohmann/json.hpp>

#include "base/error.h"

namespace coppice {
namespace {

using nlohmann::json;
using repo::BlobId;

json hex_list(const std::vector<BlobId>& ids) {
  json list = json::array();
  for (const BlobId& id : ids) list.push_back(id.hex());
  return list;
}

std::vector<BlobId> ids_in(const json& list) {
  std::vector<BlobId> ids;
  ids.reserve(list.size());
  for (const json& item : list) {
    ids.push_back({repo::digest_from_hex(item.get_ref<const std::string&>())});
  }
  return ids;
}

json append(std::vector<BlobId>& all, const std::vector<BlobId>& some) {
  json span = {all.size(), some.size()};
  all.insert(all.end(), some.begin(), some.end());
  return span;
}

}  // namespace

TreeBuilder::TreeBuilder() : members_(std::make_unique<json>(json::object())) {}
TreeBuilder::~TreeBuilder() = default;
TreeBuilder::TreeBuilder(TreeBuilder&&) noexcept = default;
TreeBuilder& TreeBuilder::operator=(TreeBuilder&&) noexcept = default;

json TreeBuilder::add_blobs(const std::vector<BlobId>& blobs) { return append(blobs_, blobs); }

json TreeBuilder::add_trees(const std::vector<BlobId>& trees) { return append(trees_, trees); }

std::size_t TreeBuilder::add_tree(const BlobId& tree) {
  trees_.push_back(tree);
  return trees_.size() - 1;
}

BlobId TreeBuilder::write(repo::BlobWriter& writer) {
  members()["blobs"] = hex_list(blobs_);
  members()["trees"] = hex_list(trees_);
  return writer.add_tree(members().dump());
}

Tree Tree::read(const repo::Repository& repository, const BlobId& id) {
  Tree tree;
  tree.id_ = id;
  const std::string text = repository.read(id);
  tree.checked([&] {
    tree.members_ = std::make_shared<const json>(json::parse(text));
    tree.blobs_ = ids_in(tree.members_->at("blobs"));
    tree.trees_ = ids_in(tree.members_->at("trees"));
  });
  return tree;
}

const json& Tree::member(const char* name) const {
  const auto found = members_->find(name);
  if (found == members_->end()) throw damaged();
  return *found;
}

bool Tree::has(const char* name) const { return members_->contains(name); }

std::vector<BlobId> Tree::part(const std::vector<BlobId>& all, const json& span) const {
  return checked([&] {
    const auto first = span.at(0).get<std::size_t>();
    const auto count = span.at(1).get<std::size_t>();
    if (first > all.size() || count > all.size() - first) throw damaged();
    return std::vector<BlobId>(all.begin() + static_cast<std::ptrdiff_t>(first),
                               all.begin() + static_cast<std::ptrdiff_t>(first + count));
  });
}

std::vector<BlobId> Tree::blobs(const json& span) const { return part(blobs_, span); }

std::vector<BlobId> Tree::trees(const json& span) const { return part(trees_, span); }

BlobId Tree::tree(const json& position) const {
  return part(trees_, json{checked([&] { return position.get<std::size_t>(); }), 1})[0];
}

void Tree::check(const std::function<void()>& call) const {
  try {
    call();
  } catch (const json::exception&) {
    throw damaged();
  }
}

Error Tree::damaged() const {
  return Error(ErrorCode::kIntegrity,
               fmt::format("the tree {} of the backup is not what one looks like", id_.hex()),
               "a newer coppice may have written it; else restore another backup");
}

}  // namespace coppice
