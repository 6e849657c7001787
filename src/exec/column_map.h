// ColumnMap: replaces references to the columns of one FROM item by other expressions. Not for use
// outside this component.
//
// Model    Only references of the query's own level are looked at; a subquery inside an expression
//          is more than this can see through, so can_replace() says no to it, as to whole rows and
//          to references that nobody knows.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "exec/scope.h"
#include "sql/tree.h"

namespace coppice::exec {

class ColumnMap {
 public:
  // The columns of `alias`, as `scope` sees it, become these expressions.
  ColumnMap(const Scope& scope, std::string alias, std::map<std::string, sql::Node*> expressions)
      : scope_(scope), alias_(std::move(alias)), expressions_(std::move(expressions)) {}

  // Whether every reference in the expression is known and not a subquery's.
  bool can_replace(const sql::Node* expression) const;
  // Whether it reads no other item's columns.
  bool reads_only_this(const sql::Node* expression) const;
  // Whether it reads a column whose expression passes the test.
  bool reads(const sql::Node* expression, const std::function<bool(const sql::Node*)>& test) const;
  void replace(sql::Node*& expression, sql::Arena& arena) const;

 private:
  sql::Node* target_of(const PgQuery__ColumnRef& reference) const;

  const Scope& scope_;
  std::string alias_;
  std::map<std::string, sql::Node*> expressions_;
};

bool has_sub_link(const sql::Node* expression);

}  // namespace coppice::exec
