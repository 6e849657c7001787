// CallSites: the calls in a statement that may be of engine functions, each with the scope in
// which its arguments are read, and whether an engine function may stand there.
//
// Model    Found by name, outer calls before the calls in their arguments. Whether a call whose
//          name PostgreSQL knows too is ours depends on its arguments (is_engine_call).
// Threads  As the tree. The scopes live as long as the CallSites.
#pragma once

#include <deque>
#include <string>
#include <vector>

#include "exec/kinds.h"

namespace coppice::exec {

// Where an engine function cannot stand, and how to write the statement instead.
struct Refusal {
  std::string place;      // "in GROUP BY"
  std::string rewriting;  // with {call} and {name} for the call and a name for its result
};

struct CallSite {
  PgQuery__FuncCall* call;
  const Scope* scope;
  const Refusal* refusal;  // nullptr: an engine function may stand here
};

// Why an engine function cannot stand in GROUP BY.
const Refusal& group_by_refusal();

class CallSites {
 public:
  struct Select {
    PgQuery__SelectStmt* select;
    const Scope* scope;
  };

  explicit CallSites(const KindContext& context) : context_(context) {}
  CallSites(const CallSites&) = delete;
  CallSites& operator=(const CallSites&) = delete;

  // A query at the top, in FROM or in WITH.
  void add_select(PgQuery__SelectStmt& select, const Scope* outer);
  void add_expression(sql::Node* expression, const Scope& scope);

  const std::vector<CallSite>& sites() const { return sites_; }
  // Every query that was looked into, inner ones too.
  const std::vector<Select>& selects() const { return selects_; }

 private:
  void visit_select(PgQuery__SelectStmt& select, const Scope* outer, const Refusal* refusal);
  void visit_with(const PgQuery__WithClause& with, const Scope& scope, const Refusal* refusal);
  void visit_from(sql::Node* item, const Scope& scope, const Refusal* refusal);
  void visit_order(const PgQuery__SelectStmt& select, const Scope& scope, const Refusal* refusal);
  void visit(sql::Message* root, const Scope& scope, const Refusal* refusal);
  void visit(sql::Node* root, const Scope& scope, const Refusal* refusal);
  void visit_call(PgQuery__FuncCall& call, const Scope& scope, const Refusal* refusal);
  void visit_list(std::size_t count, sql::Node** items, const Scope& scope, const Refusal* refusal);

  KindContext context_;
  std::deque<Scope> scopes_;
  std::vector<CallSite> sites_;
  std::vector<Select> selects_;
};

}  // namespace coppice::exec
