#include "repo/translation.h"

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "repo/pack_check.h"
#include "repo/reach.h"

namespace coppice::repo {
namespace {

using nlohmann::json;

constexpr const char* kOrigin = "copy_of";

json parsed(const std::string& name, std::string_view text) {
  json content = json::parse(text, nullptr, false);
  if (content.is_object()) return content;
  throw Error(ErrorCode::kIntegrity, name + " is no JSON object");
}

json hex_list(const std::vector<BlobId>& ids) {
  json list = json::array();
  for (const BlobId& id : ids) list.push_back(id.hex());
  return list;
}

std::string tree_name(const BlobId& id) { return "the tree " + id.hex(); }

}  // namespace

std::string with_origin(std::string_view manifest, const Origin& origin) {
  json content = parsed("the manifest", manifest);
  content[kOrigin] = {{"repository", origin.repository}, {"backup", origin.backup.hex()}};
  return content.dump();
}

std::string without_origin(std::string_view manifest) {
  json content = parsed("the manifest", manifest);
  content.erase(kOrigin);
  return content.dump();
}

std::optional<Origin> origin_of(std::string_view manifest) {
  const json content = json::parse(manifest, nullptr, false);
  if (!content.is_object() || !content.contains(kOrigin)) return std::nullopt;
  try {
    const json& origin = content.at(kOrigin);
    return Origin{origin.at("repository").get<std::string>(),
                  {digest_from_hex(origin.at("backup").get<std::string>())}};
  } catch (const json::exception&) {
    return std::nullopt;
  }
}

template <typename Call>
void Translation::attempt(const Call& call) {
  try {
    call();
  } catch (const Error& error) {
    if (!on_damage_ || !is_damage(error)) throw;
    const std::lock_guard lock(mutex_);
    on_damage_(error);
  }
}

std::optional<std::string> Translation::manifest(const std::string& name, std::string_view text,
                                                 BlobWriter& writer,
                                                 const ParallelOptions& parallel) {
  std::vector<BlobId> trees;
  bool whole = true;
  for (const BlobId& id : read_roots(name, text)) {
    const std::optional<BlobId> as = tree(id, writer, parallel);
    whole = whole && as;
    if (as) trees.push_back(*as);
  }
  if (!whole) return std::nullopt;
  json content = parsed(name, text);
  content["trees"] = hex_list(trees);
  return content.dump();
}

std::optional<BlobId> Translation::tree(const BlobId& id, BlobWriter& writer,
                                        const ParallelOptions& parallel) {
  const std::optional<BlobId> before = known(id);
  if (before && whole_.contains(id) && writer.relies_on(*before)) return before;
  std::string text;
  TreeLinks links;
  bool whole = false;
  attempt([&] {
    text = from_.read(id);
    links = read_tree(tree_name(id), text);
    whole = true;
  });
  write_blobs(links.blobs, writer, parallel);
  std::vector<BlobId> blobs, trees;
  for (const BlobId& blob : links.blobs) {
    const std::optional<BlobId> as = known(blob);
    whole = whole && as;
    if (as) blobs.push_back(*as);
  }
  for (const BlobId& each : links.trees) {
    const std::optional<BlobId> as = tree(each, writer, parallel);
    whole = whole && as;
    if (as) trees.push_back(*as);
  }
  if (!whole) return std::nullopt;
  json content = parsed(tree_name(id), text);
  if (content.contains("blobs")) content["blobs"] = hex_list(blobs);
  if (content.contains("trees")) content["trees"] = hex_list(trees);
  const BlobId as = writer.add_tree(content.dump());
  know(id, as);
  whole_.insert(id);
  return as;
}

void Translation::write_blobs(const std::vector<BlobId>& blobs, BlobWriter& writer,
                              const ParallelOptions& parallel) {
  std::vector<BlobId> others;
  for (const BlobId& blob : blobs) {
    const std::optional<BlobId> before = known(blob);
    if (!before || !writer.relies_on(*before)) others.push_back(blob);
  }
  for_each_parallel(
      others.size(), parallel, [](std::size_t) { return std::uint64_t{kMostBlobBytes}; },
      [&](std::size_t i) { attempt([&] { know(others[i], writer.add(from_.read(others[i]))); }); });
}

void Translation::learn(std::string_view from_text, const Repository& to,
                        std::string_view to_text) {
  const std::vector<BlobId> ours = read_roots("the manifest", from_text);
  const std::vector<BlobId> theirs = read_roots("the manifest", to_text);
  for (std::size_t i = 0; i < ours.size() && ours.size() == theirs.size(); ++i) {
    learn_tree(ours[i], to, theirs[i]);
  }
}

void Translation::learn_tree(const BlobId& id, const Repository& to, const BlobId& as) {
  if (whole_.contains(id)) return;
  TreeLinks ours, theirs;
  try {
    ours = read_tree(tree_name(id), from_.read(id));
    theirs = read_tree(tree_name(as), to.read(as));
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kIntegrity && error.code() != ErrorCode::kNotFound) throw;
    return;
  }
  if (ours.blobs.size() != theirs.blobs.size() || ours.trees.size() != theirs.trees.size()) return;
  know(id, as);
  whole_.insert(id);
  for (std::size_t i = 0; i < ours.blobs.size(); ++i) know(ours.blobs[i], theirs.blobs[i]);
  for (std::size_t i = 0; i < ours.trees.size(); ++i) {
    learn_tree(ours.trees[i], to, theirs.trees[i]);
  }
}

std::optional<BlobId> Translation::known(const BlobId& id) {
  const std::lock_guard lock(mutex_);
  const auto found = known_.find(id);
  return found == known_.end() ? std::nullopt : std::optional(found->second);
}

void Translation::know(const BlobId& id, const BlobId& as) {
  const std::lock_guard lock(mutex_);
  known_.insert_or_assign(id, as);
}

}  // namespace coppice::repo
