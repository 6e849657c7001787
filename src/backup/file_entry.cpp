#include "backup/file_entry.h"

#include <fmt/core.h>

#include <nlohmann/json.hpp>
#include <utility>

#include "backup/field_hash.h"
#include "base/base64.h"
#include "base/error.h"
#include "base/hex.h"
#include "base/text.h"

namespace coppice {
namespace {

using nlohmann::json;
using repo::BlobId;

constexpr std::size_t kMostNameBytes = 255;
constexpr std::size_t kMostTargetBytes = 4095;
constexpr std::size_t kPartBytes = 1 << 20;
constexpr unsigned kPartMask = (1U << 10) - 1;
constexpr std::uint32_t kModeBits = 07777;
constexpr std::uint32_t kPermissions = 0777;

constexpr std::string_view kFileWord = "file", kFolderWord = "folder", kLinkWord = "link";

bool is_utf8(std::string_view bytes) { return !first_invalid_utf8(bytes); }

std::string_view word_of(FileKind kind) {
  switch (kind) {
    case FileKind::kFile:
      return kFileWord;
    case FileKind::kFolder:
      return kFolderWord;
    case FileKind::kLink:
      return kLinkWord;
  }
  return {};
}

bool ends_part(std::string_view name) {
  const Digest digest = sha256(name);
  return ((static_cast<unsigned>(digest[30]) << 8 | digest[31]) & kPartMask) == 0;
}

// JSON holds UTF-8 alone.
void put_bytes(json& member, const std::string& key, const std::string& bytes) {
  if (is_utf8(bytes)) {
    member[key] = bytes;
  } else {
    member[key + "_base64"] = to_base64(bytes);
  }
}

std::string bytes_in(const Tree& tree, const json& member, const std::string& key) {
  if (const auto plain = member.find(key); plain != member.end()) return plain->get<std::string>();
  auto bytes = from_base64(member.at(key + "_base64").get_ref<const std::string&>());
  if (!bytes) throw tree.damaged();
  return std::move(*bytes);
}

FileKind kind_in(const Tree& tree, const json& member) {
  const auto& word = member.at("type").get_ref<const std::string&>();
  for (const FileKind kind : {FileKind::kFile, FileKind::kFolder, FileKind::kLink}) {
    if (word == word_of(kind)) return kind;
  }
  throw tree.damaged();
}

void put_file(json& member, const FileEntry& entry, TreeBuilder& tree) {
  member["ctime"] = entry.changed_ns;
  member["inode"] = entry.inode;
  if (entry.is_fresh) member["fresh"] = true;
  if (entry.device != 0) member["device"] = entry.device;
  if (entry.is_sparse) member["sparse"] = true;
  add_content(entry.content, tree, member);
}

void read_file_of(const Tree& tree, const json& member, FileEntry& entry) {
  entry.changed_ns = member.at("ctime").get<std::int64_t>();
  entry.inode = member.at("inode").get<std::uint64_t>();
  entry.is_fresh = member.value("fresh", false);
  entry.device = member.value("device", std::uint64_t{0});
  entry.is_sparse = member.value("sparse", false);
  entry.content = content_in(tree, member);
}

}  // namespace

bool is_file_name(std::string_view name) {
  if (name.empty() || name == "." || name == ".." || name.size() > kMostNameBytes) return false;
  return name.find('/') == std::string_view::npos && name.find('\0') == std::string_view::npos;
}

void FolderDigest::add(const FileEntry& entry) {
  append_text(fields_, entry.name);
  append_text(fields_, word_of(entry.kind));
  if (entry.kind == FileKind::kLink) return append_text(fields_, entry.target);
  append_count(fields_, entry.mode & kPermissions);
  const Digest& digest = entry.kind == FileKind::kFile ? entry.content.sha256 : entry.digest;
  append_text(fields_,
              std::string_view(reinterpret_cast<const char*>(digest.data()), digest.size()));
}

Digest FolderDigest::finish() { return FieldHash("coppice files 1").text(fields_).finish(); }

void FolderWriter::add(const FileEntry& entry) {
  COPPICE_ASSERT(is_file_name(entry.name));
  json member = entry_member(entry, tree_);
  json& entries = tree_.members()["entries"];
  part_bytes_ += 300 + entry.name.size() + entry.target.size();
  part_bytes_ +=
      70 * (entry.content.blobs.size() + entry.content.parts.size() + entry.parts.size());
  entries.push_back(std::move(member));
  digest_.add(entry);
  if (part_bytes_ >= kPartBytes || ends_part(entry.name)) end_part();
}

void FolderWriter::end_part() {
  parts_.push_back(std::exchange(tree_, TreeBuilder()).write(writer_));
  part_bytes_ = 0;
}

std::vector<BlobId> FolderWriter::finish() {
  if (part_bytes_ > 0) end_part();
  return std::move(parts_);
}

json entry_member(const FileEntry& entry, TreeBuilder& tree) {
  json member = {{"type", word_of(entry.kind)},
                 {"mode", entry.mode & kModeBits},
                 {"uid", entry.uid},
                 {"gid", entry.gid},
                 {"mtime", entry.modified_ns}};
  put_bytes(member, "name", entry.name);
  if (!entry.user.empty()) put_bytes(member, "user", entry.user);
  if (!entry.group.empty()) put_bytes(member, "group", entry.group);
  if (entry.kind == FileKind::kLink) put_bytes(member, "target", entry.target);
  if (entry.kind == FileKind::kFile) put_file(member, entry, tree);
  if (entry.kind == FileKind::kFolder) {
    member["parts"] = tree.add_trees(entry.parts);
    member["digest"] = to_hex(entry.digest);
  }
  return member;
}

FileEntry entry_in(const Tree& tree, const json& member) {
  return tree.checked([&] {
    FileEntry entry;
    entry.name = bytes_in(tree, member, "name");
    entry.kind = kind_in(tree, member);
    entry.mode = member.at("mode").get<std::uint32_t>() & kModeBits;
    entry.uid = member.at("uid").get<std::uint32_t>();
    entry.gid = member.at("gid").get<std::uint32_t>();
    entry.modified_ns = member.at("mtime").get<std::int64_t>();
    for (const auto& [key, text] : {std::pair{"user", &entry.user}, {"group", &entry.group}}) {
      const std::string base64 = std::string(key) + "_base64";
      if (member.contains(key) || member.contains(base64)) *text = bytes_in(tree, member, key);
    }
    if (entry.kind == FileKind::kLink) {
      entry.target = bytes_in(tree, member, "target");
      const bool is_target = !entry.target.empty() && entry.target.size() <= kMostTargetBytes &&
                             entry.target.find('\0') == std::string::npos;
      if (!is_target) throw tree.damaged();
    }
    if (entry.kind == FileKind::kFile) read_file_of(tree, member, entry);
    if (entry.kind == FileKind::kFolder) {
      entry.parts = tree.trees(member.at("parts"));
      entry.digest = repo::digest_from_hex(member.at("digest").get_ref<const std::string&>());
    }
    return entry;
  });
}

void for_each_entry(const repo::Repository& repository, const std::vector<BlobId>& parts,
                    const std::function<void(FileEntry)>& visit) {
  std::string last;
  for (const BlobId& part : parts) {
    const Tree tree = Tree::read(repository, part);
    // What it calls may throw errors of JSON that are none of this tree.
    std::vector<FileEntry> entries;
    tree.checked([&] {
      for (const json& member : tree.member("entries")) {
        entries.push_back(entry_in(tree, member));
        const std::string& name = entries.back().name;
        // Two entries of one name could be a link and what is written through it.
        if (!is_file_name(name) || name <= last) throw tree.damaged();
        last = name;
      }
    });
    for (FileEntry& entry : entries) visit(std::move(entry));
  }
}

std::string shown_path(std::string_view path) {
  std::string shown;
  const bool is_text = is_utf8(path);
  for (const char letter : path) {
    const auto byte = static_cast<unsigned char>(letter);
    const bool is_plain = byte >= 0x20 && byte != 0x7f && byte != '\\' && (is_text || byte < 0x80);
    if (is_plain) {
      shown += letter;
    } else {
      shown += fmt::format("\\x{:02x}", byte);
    }
  }
  return shown;
}

std::string path_shown_as(std::string_view text) {
  std::string path;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] != '\\') {
      path += text[at];
      continue;
    }
    const auto byte = text.substr(at, 2) == "\\x" ? from_hex(text.substr(at + 2, 2)) : std::nullopt;
    if (!byte || byte->size() != 1) {
      throw Error(ErrorCode::kUsage, fmt::format("\"{}\" is no path: a backslash is \\x5c", text),
                  "write it as backup ls shows it");
    }
    path += *byte;
    at += 3;
  }
  return path;
}

}  // namespace coppice
