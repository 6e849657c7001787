// Manifests of backups: what a backup says about itself.
//
// Units    Bytes; times are RFC 3339, UTC.
// Threads  Plain values.
// Errors   kNewerFormat for a backup that this program does not know, kIntegrity for what is none.
// Source   docs/formats/backup.md, "Manifest"
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "backup/measures.h"
#include "repo/ids.h"

namespace coppice {

inline constexpr int kBackupFormat = 1;
inline constexpr std::string_view kHomeBackup = "coppice home";
inline constexpr std::string_view kOtherDataBackup = "other data";

// The version of a tree, and the tables of the tree.
struct BackupPoint {
  std::int64_t tree = 0;
  std::int64_t version = 0;
  std::string published_at;
  std::vector<std::string> tables;
};

struct Manifest {
  std::string kind{kHomeBackup};
  std::string created_at, moment;
  std::string program;
  int catalog_format = 0;
  int server_version = 0;
  std::string home, host, home_id;
  std::uint64_t sequence = 0;  // greater than that of each backup of this home before it
  std::vector<std::string> tags;
  std::string root, history_root;
  repo::BlobId tree;
  std::vector<BackupPoint> points;
  std::vector<std::string> damaged;  // objects that could not be read
  std::optional<Measures> measures;
  std::vector<std::string> suspect;  // why it is
  std::uint64_t rows = 0;
  std::uint64_t media_objects = 0, media_bytes = 0;
  std::uint64_t bytes_total = 0, bytes_written = 0;
  double seconds = 0;
};

std::string manifest_text(const Manifest& manifest);
// `name` is for messages.
Manifest parse_manifest(std::string_view text, const std::string& name);

}  // namespace coppice
