// Runs: the row versions of a table, as backups keep them.
//
// Model    A run is lines between two points of one table, sorted by (_from, _row): row versions
//          that came, versions of earlier runs that went, or columns that such versions got.
//          Merged, they are the row versions at the last point.
// Threads  Plain values; a merge belongs to one thread.
// Errors   kIntegrity, naming the table's tree.
// Source   docs/formats/backup.md, "Table" and "Reading rows"
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "backup/lines.h"
#include "backup/tree.h"
#include "catalog/model.h"

namespace coppice {

enum class RunKind { kRows, kClosed, kCells };

struct Run {
  RunKind kind = RunKind::kRows;
  bool has_parent = false;           // its lines have _parent
  std::vector<std::string> columns;  // physical ones
  std::uint64_t rows = 0, bytes = 0;
  std::vector<repo::BlobId> parts;
};

struct TableRuns {
  catalog::VersionInfo point;  // version, high_op, open_ops
  std::vector<Run> runs;

  std::uint64_t rows() const;    // that came
  std::uint64_t closed() const;  // that went
};

// Ends a run: its parts.
std::vector<repo::BlobId> write_parts(const std::vector<repo::BlobId>& blobs,
                                      repo::BlobWriter& writer);
repo::BlobId write_table(const TableRuns& table, repo::BlobWriter& writer);
TableRuns read_table(const repo::Repository& repository, const repo::BlobId& tree);
std::vector<repo::BlobId> blobs_of(const repo::Repository& repository, const Run& run);

// What is wanted of the row versions of a table.
struct MergeRequest {
  std::vector<std::string> columns;             // physical ones
  const catalog::VersionInfo* floor = nullptr;  // what went at it, or before, is left out
};

// Columns of the lines of one of its runs of rows, in order: those of `request` that the run and
// later cells have, behind _from, _row, _to and _parent. Others are NULL.
std::vector<std::string> merged_columns(const TableRuns& table, std::size_t run,
                                        const MergeRequest& request);
// Gives each row version of that run, as it is at the table's point.
void merge_run(const repo::Repository& repository, const TableRuns& table, std::size_t run,
               const MergeRequest& request,
               const std::function<void(std::string_view line)>& visit);

}  // namespace coppice
