// File entries: what a backup keeps of files, folders and symbolic links, and the trees they are
// kept in.
//
// Model    The entries of a folder are sorted by the bytes of their names, and stand in one or more
//          parts, cut behind some names: a file that comes or goes changes one part. A reader takes
//          nothing for a name that could lead out of the folder, whoever has written it.
// Units    Times are nanoseconds since 1970, UTC; names and targets are bytes, not texts.
// Threads  Plain values; a FolderWriter belongs to one thread.
// Errors   kIntegrity, naming the tree, for entries that no writer makes.
// Source   docs/formats/files.md
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "backup/content.h"

namespace coppice {

enum class FileKind { kFile, kFolder, kLink };

struct FileEntry {
  std::string name;
  FileKind kind = FileKind::kFile;
  std::uint32_t mode = 0;  // the lowest twelve bits
  std::uint32_t uid = 0, gid = 0;
  std::string user, group;  // empty: the system knew none
  std::int64_t modified_ns = 0;
  // Of a file, to know whether it changed.
  std::int64_t changed_ns = 0;
  std::uint64_t inode = 0;
  bool is_fresh = false;     // so new that a change might not show in its times
  std::uint64_t device = 0;  // of one that has several names; they share device and inode
  bool is_sparse = false;
  Content content;
  // Of a folder.
  std::vector<repo::BlobId> parts;
  Digest digest{};     // of all below it
  std::string target;  // of a link
};

// Whether it can be the name of something in a folder, and of nothing outside.
bool is_file_name(std::string_view name);

// What stands for what is below a folder: names, kinds, permissions, contents. Owners, times and
// set-user bits are none of it: a restore by another user has the same.
class FolderDigest {
 public:
  // In the order of their names.
  void add(const FileEntry& entry);
  Digest finish();

 private:
  std::string fields_;
};

class FolderWriter {
 public:
  explicit FolderWriter(repo::BlobWriter& writer) : writer_(writer) {}

  // In the order of their names.
  void add(const FileEntry& entry);
  // The parts, and the digest.
  std::vector<repo::BlobId> finish();
  Digest digest() { return digest_.finish(); }

 private:
  void end_part();

  repo::BlobWriter& writer_;
  TreeBuilder tree_;
  std::vector<repo::BlobId> parts_;
  std::size_t part_bytes_ = 0;
  FolderDigest digest_;
};

// An entry alone, as a member of a tree.
nlohmann::json entry_member(const FileEntry& entry, TreeBuilder& tree);
FileEntry entry_in(const Tree& tree, const nlohmann::json& member);

// Calls with each entry, in the order of their names.
void for_each_entry(const repo::Repository& repository, const std::vector<repo::BlobId>& parts,
                    const std::function<void(FileEntry)>& visit);

// A path as people see it, and back: what is no UTF-8, control characters and the backslash are
// \xNN. kUsage for text that is none.
std::string shown_path(std::string_view path);
std::string path_shown_as(std::string_view text);

}  // namespace coppice
