// Split: a SELECT with engine calls, of which something needs all rows at once, as a query over a
// query. Not for use outside this component.
//
// Model    Both give the inner query, which is now the only item of the select's FROM, and leave
// the
//          select with the same result. GROUP BY was resolved (exec/select_form.h).
// Errors   kUnsupported when a condition cannot be moved: expressions with subqueries over several
//          FROM items, whole rows of joins.
#pragma once

#include "exec/select_form.h"

namespace coppice::exec {

// SELECT list FROM f WHERE c GROUP BY … becomes
// SELECT list FROM (SELECT columns FROM f WHERE c) GROUP BY ….
PgQuery__SelectStmt& split_condition(PgQuery__SelectStmt& select, const Scope& scope,
                                     sql::Arena& arena);

// SELECT DISTINCT list FROM f … ORDER BY … LIMIT … becomes
// SELECT DISTINCT c1, … FROM (SELECT list FROM f …) ORDER BY … LIMIT ….
PgQuery__SelectStmt& split_order(PgQuery__SelectStmt& select, sql::Arena& arena);

}  // namespace coppice::exec
