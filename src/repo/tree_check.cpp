#include "repo/tree_check.h"

#include <fmt/core.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "repo/reach.h"

namespace coppice::repo {
std::uint32_t TreeCheck::node(const BlobId& id) {
  const auto [found, added] = numbers_.emplace(id, static_cast<std::uint32_t>(nodes_.size()));
  if (added) {
    nodes_.push_back({id, false, {}});
    to_read_.push_back(found->second);
  }
  return found->second;
}

void TreeCheck::run(const std::vector<ListedObject>& manifests, const ParallelOptions& options) {
  const auto no_bytes = [](std::size_t) { return std::uint64_t{0}; };
  for_each_parallel(manifests.size(), options, no_bytes,
                    [&](std::size_t i) { read_manifest(manifests[i]); });
  while (!to_read_.empty()) {
    const std::vector<std::uint32_t> now = std::exchange(to_read_, {});
    for_each_parallel(now.size(), options, no_bytes, [&](std::size_t i) { read_tree_of(now[i]); });
  }
  report_.trees = nodes_.size();
  tell_those_that_name_it();
  for (std::size_t i = 0; i < roots_.size(); ++i) {
    for (const std::uint32_t root : roots_[i]) {
      if (nodes_[root].affected) report_.manifests[i].affected = true;
    }
  }
  std::sort(report_.manifests.begin(), report_.manifests.end(),
            [](const CheckedManifest& one, const CheckedManifest& other) {
              return std::tie(one.modified_us, one.id) < std::tie(other.modified_us, other.id);
            });
}

void TreeCheck::read_manifest(const ListedObject& manifest) {
  const std::string name = object_name(kBackupFolder, manifest.id);
  std::vector<BlobId> ids;
  std::optional<Error> failure;
  try {
    ids = read_roots(name, repository_.read_manifest(manifest.id));
  } catch (const Error& error) {
    if (error.code() == ErrorCode::kNotFound) return;  // forgotten since it was listed
    if (!is_damage(error)) throw;
    failure = error;
  }
  const std::lock_guard lock(mutex_);
  report_.manifests.push_back({manifest.id, manifest.modified_us, failure.has_value()});
  roots_.emplace_back();
  for (const BlobId& id : ids) roots_.back().push_back(node(id));
  if (failure) report_.damages.push_back({name, failure->message(), {}});
}

void TreeCheck::read_tree_of(std::uint32_t number) {
  BlobId id;
  {
    const std::lock_guard lock(mutex_);
    id = nodes_[number].id;
  }
  const std::string name = "the tree " + id.hex();
  TreeLinks links;
  std::optional<Error> failure;
  try {
    links = read_tree(name, repository_.read(id));
  } catch (const Error& error) {
    if (!is_damage(error)) throw;
    failure = error;
  }
  Damage unknown{name, {}, {}};
  std::size_t unknown_count = 0;
  bool affected = failure.has_value();
  for (const BlobId& blob : links.blobs) {
    if (packs_.is_unknown(blob)) {
      ++unknown_count;
      if (unknown.blobs.size() < kMostNamedBlobs) unknown.blobs.push_back(blob);
    }
    affected = affected || packs_.is_lost(blob);
  }
  const std::lock_guard lock(mutex_);
  if (affected) nodes_[number].affected = true;
  for (const BlobId& tree : links.trees) nodes_[node(tree)].named_by.push_back(number);
  if (failure && (packs_.is_unknown(id) || !packs_.is_lost(id))) {
    report_.damages.push_back({name, failure->message(), {id}});
  }
  if (unknown_count > 0) {
    unknown.what = fmt::format("{} blobs that it names are in no index", unknown_count);
    report_.damages.push_back(std::move(unknown));
  }
}

void TreeCheck::tell_those_that_name_it() {
  std::vector<std::uint32_t> left;
  for (std::uint32_t i = 0; i < nodes_.size(); ++i) {
    if (nodes_[i].affected) left.push_back(i);
  }
  while (!left.empty()) {
    const std::uint32_t number = left.back();
    left.pop_back();
    for (const std::uint32_t above : nodes_[number].named_by) {
      if (!std::exchange(nodes_[above].affected, true)) left.push_back(above);
    }
  }
}

}  // namespace coppice::repo
