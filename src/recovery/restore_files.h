// Restoring files of a backup below a folder.
//
// Model    /srv/data goes to FOLDER/srv/data. Everything is reached by descriptors from FOLDER on,
//          and no link is ever followed: nothing outside of it is written, whatever the backup
//          says. Called again after an interruption it keeps files that are there with the right
//          bytes. Owners and set-user bits are given by root alone.
// Units    Bytes.
// Threads  One thread; files are written by threads of their own.
// Errors   kRefused for a folder that is not empty, kBusy for one that another restore writes to;
//          kIntegrity for what no writer makes; kIo, kDiskFull, naming the file.
// Source   docs/formats/files.md, "Restoring"
#pragma once

#include <filesystem>
#include <string>

#include "base/files.h"
#include "engine/result_sink.h"
#include "recovery/other_data.h"

namespace coppice::recovery {

struct RestoredFiles {
  std::uint64_t files = 0, bytes = 0;
  std::uint64_t kept = 0;  // of those
};

// The folder that files are restored to: empty, or one in which the restore of this very backup was
// interrupted.
class FilesPlace {
 public:
  FilesPlace(std::filesystem::path folder, const std::string& backup);
  const std::filesystem::path& folder() const { return folder_; }
  bool goes_on() const { return goes_on_; }
  // Makes all of it durable, and takes the mark away.
  void finish();

 private:
  const std::filesystem::path folder_;
  std::optional<FileDescriptor> lock_;
  bool goes_on_ = false;
};

RestoredFiles restore_files(const repo::Repository& repository, const OtherData& data,
                            const FilesPlace& place, ResultSink& sink);

// What is there, read from the disk, takes the place of what should be: a root is then of that.
// False when it is something else. kNotFound when nothing is there.
bool take_from_disk(const std::filesystem::path& folder, FileSource& source);

}  // namespace coppice::recovery
