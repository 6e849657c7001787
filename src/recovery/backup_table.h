// A table of a backup as it was at one of the versions that the backup has: its definition, and its
// rows, without a database.
//
// Units    Memory: the definition; rows are streamed.
// Threads  One thread.
// Errors   kNotFound for a table or version that the backup does not have, with what it has; those
//          of the repository.
// Source   docs/formats/backup.md, "Reading rows"; docs/formats/catalog.md
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "backup/runs.h"
#include "engine/table_draft.h"

namespace coppice::recovery {

struct BackupColumn {
  engine::ColumnDraft draft;  // without id and physical column
  std::int64_t id = 0;        // of the column in the backup
  std::string physical;
  bool is_media = false;
  bool is_derived = false;  // of a materialized view's query
  std::optional<std::int64_t> last_of_sequence;
};

struct BackupTable {
  std::int64_t table_id = 0, tree_id = 0;
  sql::QualifiedName name;
  bool is_view = false;           // materialized
  catalog::VersionInfo version;   // that was asked for
  std::int64_t last_version = 0;  // that the backup has
  std::vector<BackupColumn> columns;
  std::vector<engine::ConstraintDraft> constraints;  // that its columns can have
  std::optional<std::string> comment;                // as SQL: 'text'
  TableRuns runs;
};

// `name`: "films.film"; behind a colon a version's number, a snapshot's name or a time.
BackupTable table_in_backup(const repo::Repository& repository, const Tree& home,
                            const std::string& name);

// The rows at that version: the row's identity, and fields of these columns (by position), as the
// text form of COPY has them.
using RowVisit =
    std::function<void(std::string_view row, const std::vector<std::string_view>& fields)>;
void for_each_row(const repo::Repository& repository, const BackupTable& table,
                  const std::vector<std::size_t>& columns, const RowVisit& visit);

}  // namespace coppice::recovery
