// Which calls are aggregates or window functions, told from the syntax and PostgreSQL's own names.
//
// Model    A user's own aggregate that is called plainly is not known here; it is treated as an
//          ordinary function.
#pragma once

#include "sql/tree.h"

namespace coppice::exec {

bool is_window_call(const PgQuery__FuncCall& call);
bool is_aggregate_call(const PgQuery__FuncCall& call);

// Whether an aggregate of this very level is in the expression (not one of a subquery in it).
bool has_aggregate(const sql::Node* expression);
bool has_window_call(const sql::Node* expression);

// GROUP BY, HAVING or an aggregate in the select list or ORDER BY.
bool is_grouped(const PgQuery__SelectStmt& select);

}  // namespace coppice::exec
