// Errors in the user's own words: PostgreSQL speaks of "t12" and "c3", the user of "film" and
// "title".
//
// Model    translate() maps a server error about a store table back: relation, column, constraint
//          and key names, and the place in the user's statement.
#pragma once

#include "catalog/model.h"
#include "pg/connection.h"

namespace coppice::catalog {

// An Error with the user's names, for an error raised while working on `table`.
Error translate(const pg::ServerError& error, const TableInfo& table);

}  // namespace coppice::catalog
