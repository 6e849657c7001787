// Expressions over one table's columns, and their names in the store.
//
// Model    A computed column, default or check is kept as the user wrote it. To be evaluated by
//          PostgreSQL its column names become physical columns, media types become domains of the
//          schema coppice. Such an expression may name columns of its own table only: no
//          subqueries, aggregates, window functions or parameters.
// Errors   kNotFound with the nearest column, kUnsupported for what an expression may not hold.
#pragma once

#include <set>
#include <string>
#include <string_view>

#include "catalog/model.h"
#include "sql/tree.h"

namespace coppice::catalog {

// Throws when `expression` (of `what`: "computed column", "check", "default") holds something that
// is refused there.
void check_expression_form(std::string_view expression, std::string_view what);

// The names of the columns an expression reads, in the user's words.
std::set<std::string> columns_read(const TableInfo& table, std::string_view expression);

// Puts physical names into a tree, each behind `prefix` ("new" in a trigger), and the schema in
// front of media types.
void use_store_names(const TableInfo& table, sql::Node*& expression, sql::Arena& arena,
                     std::string_view prefix = {});
// The same for the text of an expression.
std::string in_store_names(const TableInfo& table, std::string_view expression,
                           std::string_view prefix = {});

// The type as PostgreSQL reads it: "image" becomes "coppice.image".
std::string store_type(std::string_view user_type);
// The type to cast a value to that is assigned to a column of `user_type` afterwards: texts without
// their length, for what is too long must fail and not be cut.
std::string assignment_type(std::string_view user_type);

}  // namespace coppice::catalog
