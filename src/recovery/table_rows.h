// Row versions of a table: read as of a point, in short transactions, and put back.
//
// Model    What an earlier backup has is taken over where the versions since are all there: then
//          only what came and went since is read, and columns that earlier rows got. Else the table
//          is read as a whole.
// Threads  As the connection; lines are packed by other threads.
// Errors   Those of the server: tables may be dropped meanwhile (engine/root.h, is_moved()).
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "backup/runs.h"
#include "engine/root_content.h"

namespace coppice::recovery {

struct TableRequest {
  const engine::TableContent* content = nullptr;
  const catalog::VersionInfo* floor = nullptr;  // of its tree
  const TableRuns* before = nullptr;            // of an earlier backup that may be taken over
  std::set<std::string> media_columns;          // physical ones
};

struct TableRead {
  TableRuns runs;
  std::uint64_t rows = 0, bytes = 0;  // that were read
  bool anew = false;                  // nothing was taken over
};

// `reading` is a canonical session. `on_media` hears the names of media objects, `on_rows` how many
// rows were read since it was called last.
TableRead read_rows(pg::Connection& reading, const TableRequest& request, repo::BlobWriter& writer,
                    const std::function<void(std::string_view name)>& on_media,
                    const std::function<void(std::uint64_t rows)>& on_rows);

}  // namespace coppice::recovery
