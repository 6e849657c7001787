// What is known of PostgreSQL's own functions without asking the server: aggregates, window calls,
// functions that return sets, volatile ones.
//
// Model    Told from the syntax and PostgreSQL's own names. A user's own aggregate that is called
//          plainly is not known here; it is treated as an ordinary function.
#pragma once

#include "sql/tree.h"

namespace coppice::exec {

bool is_window_call(const PgQuery__FuncCall& call);
bool is_aggregate_call(const PgQuery__FuncCall& call);

// Whether a function that gives another value each time is called in the expression.
bool has_volatile_call(const sql::Node* expression);
bool has_set_returning_call(const sql::Node* expression);

// Whether an aggregate of this very level is in the expression (not one of a subquery in it).
bool has_aggregate(const sql::Node* expression);
bool has_window_call(const sql::Node* expression);

// GROUP BY, HAVING or an aggregate in the select list or ORDER BY.
bool is_grouped(const PgQuery__SelectStmt& select);

}  // namespace coppice::exec
