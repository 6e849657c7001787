// WriteScope: what names mean in a statement that writes.
//
// Model    The store's table is written through its working view, which has the columns _row, _from
//          and _to besides the user's. To the user they do not exist: a reference to the whole row
//          becomes a row of the user's columns, and the three names are refused. In RETURNING,
//          stars are written out and every reference gets its table's name; what comes from a table
//          of FROM is handed to the caller, for the new row does not have it.
// Errors   kNotFound for _row, _from and _to, at their place in the user's text.
// Threads  As the context. Subqueries are read with PostgreSQL's rules of scope (exec/scope.h).
#pragma once

#include <functional>
#include <string>

#include "engine/bound_expression.h"
#include "engine/context.h"
#include "exec/described_relations.h"
#include "sql/parse.h"

namespace coppice::engine {

class WriteScope {
 public:
  WriteScope(EngineContext& context, const catalog::TableInfo& table, std::string alias,
             sql::Statement& statement);

  // The tables beside the target: FROM of an UPDATE, USING of a DELETE, `excluded`.
  void add_from(PgQuery__WithClause* with, std::size_t count, sql::Node** items);
  void add_excluded();

  // An expression, or an item of a list, that may read the row that is written.
  void hide_store_columns(sql::Node*& expression);
  void hide_store_columns(std::size_t count, sql::Node** items);

  // Keeps the value of an expression over FROM; gives what reads it beside the new row.
  using TakeAlong = std::function<sql::Node*(sql::Node* expression)>;
  // Every item of the list gets the name that PostgreSQL would give it.
  void write_out_returning(std::size_t& count, sql::Node**& items, const TakeAlong& take_along);

 private:
  using Change = std::function<void(sql::Node*& slot, const exec::Scope& scope)>;
  void each_reference(sql::Node*& root, const exec::Scope& scope, const Change& change);
  void each_reference(PgQuery__SelectStmt& select, const exec::Scope& outer, const Change& change);
  // Whether it means something of the statement itself, not of a subquery's own FROM.
  bool is_of_statement(const PgQuery__ColumnRef& reference, const exec::Scope& scope) const;
  bool is_hidden_row(const std::string& relation) const;
  sql::Node* user_row(const std::string& relation) const;
  void hide(sql::Node*& slot, const exec::Scope& scope);
  void expand_star(const PgQuery__ColumnRef& star, std::vector<sql::Node*>& targets) const;
  void qualify(sql::Node*& slot, const exec::Scope& scope, const TakeAlong& take_along);

  EngineContext& context_;
  const catalog::TableInfo& table_;
  std::string alias_;
  sql::Statement& statement_;
  CatalogKinds catalog_kinds_;
  exec::DescribedRelations relations_;
  exec::Scope scope_;
  bool has_from_ = false;
};

}  // namespace coppice::engine
