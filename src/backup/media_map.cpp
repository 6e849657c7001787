#include "backup/media_map.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "base/error.h"
#include "repo/parallel.h"

namespace coppice {
namespace {

using nlohmann::json;
using repo::BlobId;

constexpr std::size_t kPrefixDigits = 2;
constexpr std::size_t kDigestDigits = 64;
// Of a part in memory, roughly: what bounds how many are made at once.
constexpr std::uint64_t kPartBytes = std::uint64_t{4} << 20;

bool is_digit(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); }
bool is_of_extension(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z'); }

std::string prefix_of(const std::string& name) { return name.substr(0, kPrefixDigits); }

BlobId write_part(const MediaObjects& all, repo::BlobWriter& writer) {
  TreeBuilder builder;
  json objects = json::array();
  for (const auto& [name, object] : all) {
    const json span = builder.add_blobs(object.blobs);
    objects.push_back({name, object.size_bytes, span[0], span[1]});
  }
  builder.members()["objects"] = std::move(objects);
  return builder.write(writer);
}

}  // namespace

MediaObjects read_media_tree(const repo::Repository& repository, const BlobId& id) {
  const Tree tree = Tree::read(repository, id);
  return tree.checked([&] {
    MediaObjects objects;
    for (const json& item : tree.member("objects")) {
      objects[item.at(0).get<std::string>()] = {item.at(1).get<std::uint64_t>(),
                                                tree.blobs({item.at(2), item.at(3)})};
    }
    return objects;
  });
}

MediaMap::Part& MediaMap::part_of(const std::string& name) {
  const std::string prefix = prefix_of(name);
  const auto [part, is_new] = parts_.try_emplace(prefix);
  if (is_new) {
    if (const auto tree = trees_.find(prefix); tree != trees_.end()) {
      part->second.objects = read_media_tree(repository_, tree->second);
    }
  }
  return part->second;
}

void MediaMap::read_parts_of(const std::set<std::string>& names) {
  std::vector<std::pair<const BlobId*, Part*>> unread;
  for (const std::string& name : names) {
    const std::string prefix = prefix_of(name);
    const auto tree = trees_.find(prefix);
    if (tree == trees_.end()) continue;
    const auto [part, is_new] = parts_.try_emplace(prefix);
    if (is_new) unread.emplace_back(&tree->second, &part->second);
  }
  repo::for_each_parallel(
      unread.size(), {}, [](std::size_t) { return kPartBytes; },
      [&](std::size_t i) {
        unread[i].second->objects = read_media_tree(repository_, *unread[i].first);
      });
}

bool MediaMap::has(const std::string& name) { return part_of(name).objects.contains(name); }

void MediaMap::add(const std::string& name, MediaObject object) {
  ++added_objects_;
  added_bytes_ += object.size_bytes;
  Part& part = part_of(name);
  part.objects[name] = std::move(object);
  part.changed = true;
}

void MediaMap::keep_only(const std::set<std::string>& names) {
  for (const auto& [prefix, tree] : trees_) part_of(prefix);
  for (auto& [prefix, part] : parts_) {
    const std::size_t removed = std::erase_if(
        part.objects, [&](const auto& object) { return !names.contains(object.first); });
    part.changed = part.changed || removed > 0;
  }
}

std::pair<std::uint64_t, std::uint64_t> MediaMap::totals() const {
  std::pair<std::uint64_t, std::uint64_t> sums;
  for (const auto& [prefix, part] : parts_) {
    for (const auto& [name, object] : part.objects) {
      ++sums.first;
      sums.second += object.size_bytes;
    }
  }
  return sums;
}

MediaTrees MediaMap::write(repo::BlobWriter& writer) {
  std::vector<std::pair<const std::string*, const Part*>> changed;
  for (auto& [prefix, part] : parts_) {
    if (!std::exchange(part.changed, false)) continue;
    trees_.erase(prefix);
    if (!part.objects.empty()) changed.emplace_back(&prefix, &part);
  }
  std::vector<BlobId> written(changed.size());
  repo::for_each_parallel(
      changed.size(), {}, [](std::size_t) { return kPartBytes; },
      [&](std::size_t i) { written[i] = write_part(changed[i].second->objects, writer); });
  for (std::size_t i = 0; i < changed.size(); ++i) trees_[*changed[i].first] = written[i];
  return trees_;
}

void for_each_media_name(std::string_view field,
                         const std::function<void(std::string_view name)>& visit) {
  for (const std::string_view scheme : {"media:", "frame:"}) {
    for (std::size_t at = field.find(scheme); at != std::string_view::npos;
         at = field.find(scheme, at + 1)) {
      const std::string_view rest = field.substr(at + scheme.size());
      if (rest.size() < kDigestDigits + 2 || rest[kDigestDigits] != '.') continue;
      const std::string_view digest = rest.substr(0, kDigestDigits);
      if (!std::all_of(digest.begin(), digest.end(), is_digit)) continue;
      std::size_t end = kDigestDigits + 1;
      while (end < rest.size() && is_of_extension(rest[end])) ++end;
      if (end > kDigestDigits + 1) visit(rest.substr(0, end));
    }
  }
}

}  // namespace coppice
