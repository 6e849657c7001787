// check_types: has PostgreSQL check a bound statement without running it.
//
// Model    The stubs (exec/stubs.h) give every engine call its types, so PREPARE finds every type
//          error, unknown column and misplaced aggregate. The server's error position is a place in
//          the rewritten text; it is brought back to the user's text by reading the rewritten text
//          again and walking both trees side by side.
// Errors   The server's error with line, column and caret, in the user's words.
// Threads  As the Connection.
#pragma once

#include <string>
#include <string_view>

#include "exec/functions.h"
#include "pg/connection.h"
#include "sql/source_text.h"
#include "sql/tree.h"

namespace coppice::exec {

// A SELECT; its result columns.
std::vector<pg::Column> check_types(pg::Connection& connection, const sql::Node* statement,
                                    const sql::SourceText& source, const FunctionTable& functions);

// `error`, which the server gave for `sent`, the deparsed text of `statement`, as an Error at its
// place in `source`.
Error error_in_source(const pg::ServerError& error, const std::string& sent,
                      const sql::Node* statement, const sql::SourceText& source,
                      const FunctionTable& functions);

// A message of the server with our stub names and types as users write them.
std::string in_user_words(std::string_view message);

}  // namespace coppice::exec
