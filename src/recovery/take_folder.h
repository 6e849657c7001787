// Taking folders into a backup: what is below them, as entries.
//
// Model    Folders are walked by descriptors, never by a path through a link. A file is read when
//          its size, times or inode are others than in the backup before, or when it was so new
//          then that a change might not show; else its content is taken over. A file that changes
//          while it is read is read once more, then kept as it was read, and told.
// Units    Bytes. Memory: the names of the folders that are open, and a thousand entries each.
// Threads  One thread; files are read by threads of their own.
// Errors   Those of the repository and of the folder itself. What cannot be read below it is told,
//          and the rest taken.
// Source   docs/formats/files.md
#pragma once

#include <sys/stat.h>

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "backup/file_entry.h"
#include "base/files.h"
#include "engine/result_sink.h"
#include "recovery/path_patterns.h"

namespace coppice::recovery {

struct TakenCounts {
  std::uint64_t files = 0, bytes = 0;            // that the backup has
  std::uint64_t files_read = 0, bytes_read = 0;  // of those
};

class FolderTaker {
 public:
  // All are borrowed.
  FolderTaker(const repo::Repository& repository, repo::BlobWriter& writer, const GearTable& gear,
              const PathPatterns& excluded, ResultSink& sink)
      : repository_(repository), writer_(writer), gear_(gear), excluded_(excluded), sink_(sink) {}

  // `path` is absolute and no link; `before`: the entry that an earlier backup has of it.
  FileEntry take(const std::string& path, const FileEntry* before);

  const TakenCounts& counts() const { return counts_; }
  // What is not as it should be: "/srv/a: permission denied".
  const std::vector<std::string>& damaged() const { return damaged_; }
  // Special files.
  const std::vector<std::string>& left_out() const { return left_out_; }

 private:
  class Before;
  struct Found {
    FileEntry entry;
    std::optional<FileEntry> before;
    struct stat status {};
    bool is_to_read = false;
    bool is_gone = false;
  };

  struct OpenFolder {
    FileDescriptor fd;
    std::vector<std::string> names;
  };

  std::optional<OpenFolder> open_below(int folder, const std::string& path, const std::string& name,
                                       int depth);
  void take_below(const OpenFolder& open, const std::string& path, FileEntry& entry,
                  const FileEntry* before, int depth);
  void take_some(int folder, const std::string& path, std::vector<Found>& some,
                 FolderWriter& entries, int depth);
  std::optional<Found> look_at(int folder, const std::string& path, const std::string& name,
                               std::optional<FileEntry> before);
  void read_file_of(int folder, const std::string& path, Found& found);
  bool read_once(int folder, const std::string& path, Found& found);
  bool take_over(Found& found) const;
  const std::string& user_name(std::uint32_t uid);
  const std::string& group_name(std::uint32_t gid);
  void add_damaged(const std::string& path, const std::string& why);

  const repo::Repository& repository_;
  repo::BlobWriter& writer_;
  const GearTable& gear_;
  const PathPatterns& excluded_;
  ResultSink& sink_;
  TakenCounts counts_;
  std::mutex mutex_;  // of what follows, and counts_
  std::vector<std::string> damaged_, left_out_;
  // Contents of files with several names, by device and inode.
  std::map<std::pair<std::uint64_t, std::uint64_t>, Content> linked_;
  std::map<std::uint32_t, std::string> users_, groups_;
};

}  // namespace coppice::recovery
