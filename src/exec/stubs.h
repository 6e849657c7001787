// Stubs: what PostgreSQL knows of the engine functions.
//
// Model    For each signature two functions in the schema coppice, under its name and under its
//          stub name (exec/functions.h). They have the parameters, defaults and result type (an
//          iterator's return a table), so PostgreSQL checks every expression, and they raise
//          "needs Coppice" when run. VOLATILE, or the planner would run them while folding
//          constants.
// Source   PostgreSQL 15 documentation, CREATE FUNCTION.
#pragma once

#include <span>
#include <string>

#include "workers/signature.h"

namespace coppice::exec {

// One SQL script that makes the stubs of `signatures`, replaces those that changed and drops stubs
// of functions that are gone; running it again changes nothing. A stub that another object
// depends on is not dropped: the script then fails and nothing is changed.
std::string stubs_sql(std::span<const Signature> signatures);

// The same for one function of a user: a stub under its name in its schema, and one under its stub
// name in coppice. `replace`: they are there already; PostgreSQL refuses what it cannot replace.
std::string user_stubs_sql(const Signature& signature, bool replace);
std::string drop_user_stubs_sql(const Signature& signature);

// 64 hex digits over what stubs_sql() would make: equal digests mean equal stubs.
std::string stubs_digest(std::span<const Signature> signatures);

}  // namespace coppice::exec
