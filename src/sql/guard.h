// Guard: refuses a statement that the parser would choke on, before the parser sees it.
//
// Model    One flat pass over the tokens bounds how deep the parser's tree can become. Operators
//          at one level of parentheses make a chain as deep as they are many, until a comma, AND
//          or OR starts the next item; set operations and joins chain over the whole level.
//          Lists, AND and OR are flat and may be as long as the statement.
//          The pass also refuses what PostgreSQL would do silently: cut a name after 63 bytes. It
//          only reports a quoted "table:version" whose parts fit (long_names.h).
// Units    Depths are levels of nested messages, as message_depth in tree.h counts them: an
//          operator is two (its envelope and itself), a parenthesis at most six.
// Errors   kUnsupported (size, depth), kSyntax (names, parameter numbers), kInvalidInput
// (encoding);
//          all but the size with line, column and an excerpt.
#pragma once

#include <cstddef>
#include <vector>

#include "base/error.h"
#include "sql/source_text.h"

namespace coppice::sql {

constexpr std::size_t kMaxStatementBytes = 16 << 20;
constexpr std::size_t kMaxNesting = 500;  // calls, subqueries, arrays and CASE inside each other
constexpr std::size_t kMaxNameBytes = 63;
// The server's own limit (max_stack_depth) is near 6,000 operators.
constexpr std::size_t kMaxChain = 5'000;

struct GuardLimits {
  std::size_t statement_bytes = kMaxStatementBytes;
  std::size_t nesting = kMaxNesting;
  std::size_t chain = kMaxChain;
};

struct StatementCheck {
  std::size_t depth = 0;                // an upper bound of message_depth of the tree
  std::vector<std::size_t> long_names;  // where a "table:version" of more than 63 bytes begins
};

// Throws when the statement is refused. The encoding was checked before.
StatementCheck check_statement(const SourceText& source, const GuardLimits& limits = {});

Error name_too_long(const SourceText& source, std::size_t offset, std::size_t bytes);

}  // namespace coppice::sql
