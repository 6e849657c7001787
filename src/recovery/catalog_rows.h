// Rows of the catalog: how backups keep them, and put them back.
//
// Model    Which rows go is what the history root covers, and what functions and costs need:
//          docs/formats/backup.md. What changes without any operation (results of calls, spending)
//          is read by itself, so that no snapshot waits for it.
// Threads  As the connection.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "backup/lines.h"
#include "backup/tree.h"
#include "pg/connection.h"

namespace coppice::recovery {

enum class CatalogPart { kAtPoint, kApart };

// Adds the tables' lines to the tree's "catalog". `reading` is a canonical session. The names of
// media objects that results have go to `media`.
void write_catalog(pg::Connection& reading, CatalogPart part, repo::BlobWriter& writer,
                   TreeBuilder& home, std::set<std::string>& media);
// In a transaction of a database whose catalog is empty. Gives the number of rows.
std::uint64_t load_catalog(pg::Connection& connection, const repo::Repository& repository,
                           const Tree& home);

}  // namespace coppice::recovery
