// Other people's data in a backup: the dump of a database, and folders.
//
// Model    One tree says what there is. The dump is what pg_dump gave, cut by its content; folders
//          are trees of entries.
// Threads  Plain values.
// Errors   kIntegrity for a tree that is none; kUsage for a backup of a home.
// Source   docs/formats/files.md
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "backup/file_entry.h"
#include "recovery/choose.h"

namespace coppice::recovery {

struct DumpedDatabase {
  std::string address;  // for people: "postgresql://host:5432/shop"; nothing secret
  std::string database;
  int server_version = 0;          // 150020
  std::string program;             // "pg_dump 15.20"
  int program_major = 0;           //
  std::vector<std::string> roles;  // that own something in it, or have rights
  Content content;
};

// What one name on the command line stood for.
struct FileSource {
  std::string path;  // absolute, bytes
  FileEntry entry;   // of a file, folder or link
};

struct OtherData {
  std::optional<DumpedDatabase> dump;
  std::vector<FileSource> sources;
  std::vector<std::string> left_out;  // special files, and what was excluded by its kind

  // What stands for all of it.
  std::string root() const;
};

inline bool is_other_data(const Manifest& manifest) { return manifest.kind == kOtherDataBackup; }

repo::BlobId write_other_data(const OtherData& data, repo::BlobWriter& writer);
OtherData read_other_data(const repo::Repository& repository, const Manifest& manifest);

}  // namespace coppice::recovery
