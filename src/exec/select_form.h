// The form of a SELECT with engine calls before it is taken apart: stars written out, every column
// named, and ORDER BY, GROUP BY and DISTINCT ON told apart. Not for use outside this component.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "exec/kinds.h"
#include "exec/syntax.h"

namespace coppice::exec {

struct FormContext {
  sql::Arena& arena;
  KindContext kinds;
  // Asks the server for the result columns of a query, names only; nullopt when it does not know.
  std::function<std::optional<std::vector<std::string>>(const PgQuery__SelectStmt&)> describe;
};

// In `select` and every query below it that has engine calls: writes out `*` and gives each column
// of the select list the name that PostgreSQL would. Throws kUnsupported for a `*` over columns
// that nobody knows.
void normalize_targets(PgQuery__SelectStmt& select, const Scope* outer, const FormContext& context);

inline PgQuery__ResTarget& target_at(const PgQuery__SelectStmt& select, std::size_t index) {
  return *sql::as<PgQuery__ResTarget>(select.target_list[index]);
}

// Which column of the select list an item of ORDER BY or DISTINCT ON means, if it means one: by its
// number, by its name, or by being the same expression.
std::optional<std::size_t> target_of_order(const PgQuery__SelectStmt& select,
                                           const sql::Node* expression);
// The same for GROUP BY, where names of input columns come first.
std::optional<std::size_t> target_of_group(const PgQuery__SelectStmt& select,
                                           const sql::Node* expression, const Scope& scope);

// GROUP BY 1 and GROUP BY <name of a result> become the expression itself.
void resolve_group(PgQuery__SelectStmt& select, const Scope& scope, sql::Arena& arena);
// The same for ORDER BY; an item that is a constant sorts nothing and is dropped.
void resolve_order(PgQuery__SelectStmt& select, sql::Arena& arena);

// "SELECT FROM (query) AS alias" with nothing in the select list.
PgQuery__SelectStmt* select_from(sql::Arena& arena, PgQuery__SelectStmt* query,
                                 std::string_view alias);

}  // namespace coppice::exec
