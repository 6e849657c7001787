// Measuring a backup while it is made: what changed since the latest one of the home.
//
// Model    What is gone follows from how many rows there were, are, and are new: so prune hides
//          nothing.
// Threads  One thread.
// Errors   Those of the server. A backup before that cannot be read is none.
// Source   docs/formats/backup.md, "Manifest"
#pragma once

#include <map>
#include <optional>

#include "backup/measures.h"
#include "engine/root_content.h"
#include "pg/connection.h"
#include "recovery/open_repository.h"
#include "repo/blob_writer.h"

namespace coppice::recovery {

class Measurer {
 public:
  // `repository` is borrowed; `base`: the backup before, if there is one.
  Measurer(const repo::Repository& repository, const KnownBackup* base);

  // Counts the new rows of a table, as of the point that is backed up.
  void table(pg::Connection& reading, const engine::TableContent& content);
  // What the writer was given since `before` are rows; all of its files are media.
  void rows_written(const repo::WriterCounts& before, const repo::WriterCounts& now);
  void media_written(const repo::WriterCounts& files);
  // When all rows are counted: of a table, how many there are.
  void rows_now(const catalog::TableInfo& table, std::uint64_t rows);
  Measures finish(std::uint64_t media_objects, std::uint64_t media_added,
                  const repo::WriterCounts& counts);

 private:
  struct Before {
    std::string name;
    std::uint64_t rows = 0;
    std::int64_t version = 0;
    repo::BlobId tree;
    std::optional<std::uint64_t> fresh;  // counted now
    bool is_there = false;
  };
  void read_base(const KnownBackup& base);

  const repo::Repository& repository_;
  std::map<std::int64_t, Before> tables_;
  std::map<std::int64_t, std::uint64_t> rows_;
  Measures measures_;
};

}  // namespace coppice::recovery
