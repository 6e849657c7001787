// Backups of other people's data, as the command line sees them: a database through pg_dump, and
// folders. Part of recovery.h.
//
// Model    A restore gives back what is asked for, of what the backup has: folders below a folder
//          of their own, the dump into an empty database.
// Threads  Plain values.
// Source   docs/formats/files.md
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "objects/paced_store.h"
#include "recovery/repository_address.h"

namespace coppice {

struct OtherBackupRequest {
  RepositoryAddress repository;
  std::optional<std::string> database;  // as libpq reads it; it may hold a password
  std::vector<std::string> files;       // folders, or files
  std::vector<std::string> excluded;    // patterns
  std::vector<std::string> tags;
  bool full = false;  // nothing is taken from earlier backups
  std::string cache;  // where what is read of the repository is kept; empty: nowhere
};
struct OtherBackupReport {
  std::string id, root;
  std::string parent;  // the backup that it took from; empty: none
  std::uint64_t dump_bytes = 0;
  std::uint64_t files = 0, file_bytes = 0;       // that it has
  std::uint64_t files_read = 0, bytes_read = 0;  // of those
  std::uint64_t bytes_written = 0, bytes_total = 0;
  std::vector<std::string> damaged;   // could not be read, or not as of one moment
  std::vector<std::string> left_out;  // special files
  StoreRequests requests;
  double seconds = 0;
};

struct OtherRestoreRequest {
  RepositoryAddress repository;
  std::optional<std::string> backup, at;  // as of a restore of a home
  std::optional<std::string> folder;      // that the files go to
  std::optional<std::string> database;    // that the dump goes to
  bool dry_run = false;
};
struct OtherRestoreReport {
  std::string backup, moment;
  std::string root_expected, root_restored;
  bool equal = false;
  std::vector<std::string> differences;  // paths
  std::uint64_t files = 0, file_bytes = 0;
  std::uint64_t files_kept = 0;  // of those: an interrupted restore had written them
  std::uint64_t dump_bytes = 0;
  std::vector<std::string> damaged;  // what the backup lacks
  StoreRequests requests;
  double dump_seconds = 0, files_seconds = 0, seconds = 0;
};

}  // namespace coppice
