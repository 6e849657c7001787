// Prune: old versions are removed for good.
//
// Model    The new floor is the earliest version that stays. It is never above the current version,
//          a snapshot's, that which an operation under way began with, or one that a view reads.
//          First the floor is raised, under the tree's lock: from then on older versions cannot be
//          read. Then what no kept version shows is removed in short transactions: rows, views over
//          versions, errors of rows, physical columns, descriptions. Prune takes no version, and
//          one that was stopped is taken up by the next.
// Units    Bytes are those of the removed rows in the store, indexes left out; PostgreSQL uses the
//          space again after its next vacuum.
// Errors   kUsage for a text that is no retention, or when nothing says what to keep.
#pragma once

#include <optional>
#include <string>

#include "engine/context.h"

namespace coppice::engine {

// `keep` is a number of versions ("10") or an age ("7 days"); else the table's own retention holds,
// else the setting retention.keep. One row says what went: (floor_version, versions, rows, bytes,
// columns); a dry run says what would.
void run_prune(EngineContext& context, const std::string& table,
               const std::optional<std::string>& keep, bool dry_run, ResultSink& sink);

}  // namespace coppice::engine
