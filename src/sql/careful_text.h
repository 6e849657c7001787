// Careful text: SQL for trees that libpg_query's own deparser writes wrongly.
//
// Model    In a copy of the tree each piece that the deparser is known to get wrong becomes a
//          placeholder, a name of its own; the deparser writes the rest, and then the placeholders
//          in its text are replaced by text written here: operands in parentheses, SET (a, b) = …,
//          function bodies in plain quotes. COPY is written here as a whole. The result is a
//          proposal: deparse.h compares what it reads back as.
// Errors   kUnsupported when the deparser refuses the tree.
#pragma once

#include <string>

#include "sql/tree.h"

namespace coppice::sql {

// What libpg_query writes, unchecked. The tree must fit the current stack.
std::string raw_deparse(Node* statement);
std::string raw_deparse_expression(Node* expression);

std::string careful_text(const Node* statement);

// COPY with its options in the form WITH (name value).
std::string copy_text(const PgQuery__CopyStmt& copy);

}  // namespace coppice::sql
