// Migrations: brings a database to the catalog format of this program.
//
// Errors   kNewerFormat for a database that a newer Coppice wrote.
#pragma once

#include <optional>
#include <string>

#include "catalog/schema.h"
#include "pg/connection.h"

namespace coppice::engine {

using catalog::kCatalogFormat;

// The role that users' queries run as; the same for every home of a server.
inline constexpr std::string_view kReaderRole = "coppice_reader";

// nullopt: the database has no catalog.
std::optional<int> catalog_format(pg::Connection& connection);
// True when migrate() would do nothing: one round trip, for every command begins with it.
bool is_up_to_date(pg::Connection& connection);
// Creates or upgrades the catalog, the engine function stubs and the reader's rights, each in one
// transaction under a lock that keeps other processes out. Does nothing when all is current.
// Returns true when it changed something.
bool migrate(pg::Connection& connection);
// True when the restricted role exists here and this session may become it: servers may forbid
// making it, and one that another database's owner has made is theirs.
bool reader_role_exists(pg::Connection& connection);
// True when it may read this home's tables, too.
bool reader_has_rights(pg::Connection& connection);
// Gives it the rights that it would have, had it been there from the start.
void adopt_reader(pg::Connection& connection);

}  // namespace coppice::engine
