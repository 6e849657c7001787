// Query columns: which columns of tables each column of a query is made from.
//
// Model    Follows the values of the select list through joins, subselects, WITH queries, set
//          operations and functions in FROM. Columns that only choose, join, group or order rows
//          are not sources. What a query of PostgreSQL's own relations reads is not known here.
// Threads  Pure but for the callback.
#pragma once

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "sql/names.h"
#include "sql/tree.h"

namespace coppice::engine {

struct QueryColumn {
  std::string name;
  std::set<std::string> sources;  // whatever RelationColumns calls them
};

// The columns of a relation, each with itself as its source; empty for an unknown relation.
using RelationColumns = std::function<std::vector<QueryColumn>(const sql::QualifiedName&)>;

std::vector<QueryColumn> trace_query(const PgQuery__SelectStmt& query,
                                     const RelationColumns& relations);

}  // namespace coppice::engine
