// Row changes: which row versions came and went between two versions, as SQL over the store.
//
// Model    A row version lives from the operation in _from to the one in _to. It came or went
//          between versions A and B when that operation was published after A and not after B.
//          These conditions are ranges over the indexes on _from and _to, so that what they cost
//          follows the number of changed rows and not the size of the table. Column names are
//          bare: use them in a subselect over the store alone.
// Threads  Pure functions, but for use_change_indexes().
#pragma once

#include <string>

#include "catalog/model.h"
#include "pg/connection.h"

namespace coppice::engine {

// The operation in `column` ("_from", "_to", "g._to") was published after the version, or is not
// published.
std::string published_after(const catalog::VersionInfo& version, const std::string& column);

// Row versions visible at `since` that are not current any more, and current ones that were not
// visible then.
std::string gone_since(const catalog::VersionInfo& since);
std::string come_since(const catalog::VersionInfo& since);

// Row versions visible at one of two versions only; `before` is the older.
std::string only_before(const catalog::VersionInfo& before, const catalog::VersionInfo& after);
std::string only_after(const catalog::VersionInfo& before, const catalog::VersionInfo& after);

// Row versions that no version from `floor` on shows.
std::string invisible_from(const catalog::VersionInfo& floor);

// For the open transaction: the planner takes the indexes and joins by hashes. Its statistics of
// _from and _to are of yesterday by nature: the ids of interest are those drawn last.
void use_change_indexes(pg::Connection& connection);

}  // namespace coppice::engine
