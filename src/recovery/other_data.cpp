#include "recovery/other_data.h"

#include <fmt/core.h>

#include <nlohmann/json.hpp>

#include "backup/field_hash.h"
#include "backup/tree.h"
#include "base/base64.h"
#include "base/error.h"
#include "base/text.h"

namespace coppice::recovery {
namespace {

using nlohmann::json;

json dump_member(const DumpedDatabase& dump, TreeBuilder& tree) {
  json member = {{"address", dump.address},
                 {"database", dump.database},
                 {"server_version", dump.server_version},
                 {"program", dump.program},
                 {"program_major", dump.program_major},
                 {"roles", dump.roles}};
  add_content(dump.content, tree, member);
  return member;
}

DumpedDatabase dump_in(const Tree& tree, const json& member) {
  DumpedDatabase dump;
  dump.address = member.at("address").get<std::string>();
  dump.database = member.at("database").get<std::string>();
  dump.server_version = member.at("server_version").get<int>();
  dump.program = member.at("program").get<std::string>();
  dump.program_major = member.at("program_major").get<int>();
  dump.roles = member.at("roles").get<std::vector<std::string>>();
  dump.content = content_in(tree, member);
  return dump;
}

std::string path_in(const Tree& tree, const json& member) {
  const auto path = from_base64(member.at("path_base64").get_ref<const std::string&>());
  if (!path || !path->starts_with('/')) throw tree.damaged();
  for (const std::string& name : split(path->substr(1), '/')) {
    if (!is_file_name(name) && *path != "/") throw tree.damaged();
  }
  return *path;
}

}  // namespace

std::string OtherData::root() const {
  FieldHash hash("coppice other data 1");
  hash.flag(dump.has_value());
  if (dump) hash.digest(dump->content.sha256);
  hash.count(sources.size());
  for (const FileSource& source : sources) {
    FolderDigest digest;
    digest.add(source.entry);
    hash.text(source.path).digest(digest.finish());
  }
  return to_hex(hash.finish());
}

repo::BlobId write_other_data(const OtherData& data, repo::BlobWriter& writer) {
  TreeBuilder tree;
  if (data.dump) tree.members()["dump"] = dump_member(*data.dump, tree);
  json sources = json::array();
  for (const FileSource& source : data.sources) {
    sources.push_back(
        {{"path_base64", to_base64(source.path)}, {"entry", entry_member(source.entry, tree)}});
  }
  tree.members()["sources"] = std::move(sources);
  tree.members()["left_out"] = data.left_out;
  return tree.write(writer);
}

OtherData read_other_data(const repo::Repository& repository, const Manifest& manifest) {
  if (!is_other_data(manifest)) {
    throw Error(ErrorCode::kUsage, "the backup is one of a home, and has neither dump nor folders",
                "coppice restore --home FOLDER makes a home of it");
  }
  const Tree tree = Tree::read(repository, manifest.tree);
  return tree.checked([&] {
    OtherData data;
    if (tree.has("dump")) data.dump = dump_in(tree, tree.member("dump"));
    for (const json& member : tree.member("sources")) {
      data.sources.push_back({path_in(tree, member), entry_in(tree, member.at("entry"))});
    }
    data.left_out = tree.member("left_out").get<std::vector<std::string>>();
    return data;
  });
}

}  // namespace coppice::recovery
