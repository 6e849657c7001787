#include "exec/call_sites.h"

#include <algorithm>
#include <string_view>

#include "exec/server_functions.h"
#include "exec/syntax.h"

namespace coppice::exec {
namespace {

using sql::as;
using sql::Message;
using sql::Node;
using sql::Visit;

// Made once, never destroyed: errors may be formatted while the program ends.
struct Refusals {
  Refusal group_by{"in GROUP BY",
                   "SELECT … FROM (SELECT {call} AS {name}, … FROM …) s GROUP BY {name}"};
  Refusal having{
      "in HAVING",
      "SELECT … FROM (SELECT {call} AS {name}, … FROM …) s GROUP BY … HAVING … {name} …"};
  Refusal order_by{"in ORDER BY when it is not in the select list",
                   "SELECT … FROM (SELECT {call} AS {name}, … FROM …) s ORDER BY {name}"};
  Refusal distinct_on{"in DISTINCT ON when it is not in the select list",
                      "SELECT DISTINCT ON ({name}) … FROM (SELECT {call} AS {name}, … FROM …) s"};
  Refusal join{"in JOIN … ON",
               "SELECT … FROM (SELECT {call} AS {name}, … FROM …) s JOIN … ON s.{name} = …"};
  Refusal aggregate{"inside an aggregate",
                    "SELECT max({name}) FROM (SELECT {call} AS {name}, … FROM …) s"};
  Refusal window{"inside a window function",
                 "SELECT … OVER (ORDER BY {name}) FROM (SELECT {call} AS {name}, … FROM …) s"};
  Refusal window_clause{"in WINDOW",
                        "SELECT … FROM (SELECT {call} AS {name}, … FROM …) s WINDOW w AS (ORDER BY "
                        "{name})"};
  Refusal sub_link{"in a subquery inside an expression",
                   "SELECT … FROM …, (SELECT {call} AS {name} FROM …) s WHERE … s.{name} …"};
  Refusal in_subquery{"on the left of a subquery",
                      "SELECT … FROM (SELECT {call} AS {name}, … FROM …) s WHERE {name} IN (SELECT "
                      "…)"};
  Refusal lateral{"in a LATERAL subquery", "SELECT {call} AS {name}, … FROM …"};
  Refusal from_function{"as a function in FROM", "SELECT {call} AS {name} FROM …"};
  Refusal recursive{"in a recursive query",
                    "WITH RECURSIVE r AS (…) SELECT {call} AS {name} FROM r …"};
  Refusal values{"in VALUES", "SELECT {call} AS {name} UNION ALL SELECT …"};
  Refusal limit{"in LIMIT or OFFSET", "a constant there"};
};

const Refusals& refusals() {
  static const auto* const all = new Refusals;
  return *all;
}

bool equals_a_target(const PgQuery__SelectStmt& select, const Node* expression) {
  const auto targets = sql::nodes(select.n_target_list, select.target_list);
  return std::any_of(targets.begin(), targets.end(), [&](const Node* item) {
    return sql::equal(as<PgQuery__ResTarget>(item)->val, expression);
  });
}

bool mentions_relation(const Node* query, std::string_view name) {
  return !sql::walk(const_cast<Node*>(query), [&](Message& message) {
    const auto* const table = as<PgQuery__RangeVar>(message);
    const bool is = table && *table->schemaname == '\0' && table->relname == name;
    return is ? Visit::kStop : Visit::kInto;
  });
}

}  // namespace

const Refusal& group_by_refusal() { return refusals().group_by; }

void CallSites::add_select(PgQuery__SelectStmt& select, const Scope* outer) {
  visit_select(select, outer, nullptr);
}

void CallSites::add_expression(Node* expression, const Scope& scope) {
  visit(expression, scope, nullptr);
}

void CallSites::visit_select(PgQuery__SelectStmt& select, const Scope* outer,
                             const Refusal* refusal) {
  const Scope& scope = scopes_.emplace_back(scope_of(select, outer, context_));
  selects_.push_back({&select, &scope});
  const auto where_not = [&](const Refusal& other) { return refusal ? refusal : &other; };
  if (select.with_clause) visit_with(*select.with_clause, scope, refusal);
  if (select.larg) {
    visit_select(*select.larg, &scope, refusal);
    visit_select(*select.rarg, &scope, refusal);
  }
  for (Node* const item : sql::nodes(select.n_from_clause, select.from_clause)) {
    visit_from(item, scope, refusal);
  }
  visit_list(select.n_target_list, select.target_list, scope, refusal);
  visit(select.where_clause, scope, refusal);
  visit_list(select.n_group_clause, select.group_clause, scope, where_not(refusals().group_by));
  visit(select.having_clause, scope, where_not(refusals().having));
  visit_list(select.n_window_clause, select.window_clause, scope,
             where_not(refusals().window_clause));
  visit_list(select.n_values_lists, select.values_lists, scope, where_not(refusals().values));
  visit_order(select, scope, refusal);
  visit(select.limit_count, scope, where_not(refusals().limit));
  visit(select.limit_offset, scope, where_not(refusals().limit));
}

void CallSites::visit_order(const PgQuery__SelectStmt& select, const Scope& scope,
                            const Refusal* refusal) {
  const auto one = [&](Node* expression, const Refusal& unless_selected) {
    const bool allowed = refusal == nullptr && equals_a_target(select, expression);
    visit(expression, scope, allowed ? nullptr : refusal ? refusal : &unless_selected);
  };
  for (Node* const item : sql::nodes(select.n_sort_clause, select.sort_clause)) {
    one(as<PgQuery__SortBy>(item)->node, refusals().order_by);
  }
  for (Node* const item : sql::nodes(select.n_distinct_clause, select.distinct_clause)) {
    if (sql::message_of(item)) one(item, refusals().distinct_on);
  }
}

void CallSites::visit_with(const PgQuery__WithClause& with, const Scope& scope,
                           const Refusal* refusal) {
  for (Node* const item : sql::nodes(with.n_ctes, with.ctes)) {
    const auto* const cte = as<PgQuery__CommonTableExpr>(item);
    auto* const query = as<PgQuery__SelectStmt>(cte->ctequery);
    if (!query) continue;
    const bool recurses = with.recursive && mentions_relation(cte->ctequery, cte->ctename);
    visit_select(*query, &scope, recurses && !refusal ? &refusals().recursive : refusal);
  }
}

void CallSites::visit_from(Node* item, const Scope& scope, const Refusal* refusal) {
  if (auto* const join = as<PgQuery__JoinExpr>(item)) {
    visit_from(join->larg, scope, refusal);
    visit_from(join->rarg, scope, refusal);
    visit(join->quals, scope, refusal ? refusal : &refusals().join);
    return;
  }
  if (auto* const subselect = as<PgQuery__RangeSubselect>(item)) {
    auto* const query = as<PgQuery__SelectStmt>(subselect->subquery);
    const Refusal* const unless = subselect->lateral ? &refusals().lateral : nullptr;
    if (query) visit_select(*query, &scope, refusal ? refusal : unless);
    return;
  }
  visit(item, scope, refusal ? refusal : &refusals().from_function);
}

void CallSites::visit_list(std::size_t count, Node** items, const Scope& scope,
                           const Refusal* refusal) {
  for (Node* const item : sql::nodes(count, items)) visit(item, scope, refusal);
}

void CallSites::visit(Node* root, const Scope& scope, const Refusal* refusal) {
  visit(reinterpret_cast<Message*>(root), scope, refusal);
}

void CallSites::visit(Message* root, const Scope& scope, const Refusal* refusal) {
  sql::walk(root, [&](Message& message) {
    if (auto* const link = as<PgQuery__SubLink>(message)) {
      auto* const query = as<PgQuery__SelectStmt>(link->subselect);
      if (query) visit_select(*query, &scope, refusal ? refusal : &refusals().sub_link);
      visit(link->testexpr, scope, refusal ? refusal : &refusals().in_subquery);
      return Visit::kSkip;
    }
    if (auto* const call = as<PgQuery__FuncCall>(message)) {
      visit_call(*call, scope, refusal);
      const bool ends = is_aggregate_call(*call) || is_window_call(*call);
      return ends ? Visit::kSkip : Visit::kInto;
    }
    return Visit::kInto;
  });
}

void CallSites::visit_call(PgQuery__FuncCall& call, const Scope& scope, const Refusal* refusal) {
  if (has_engine_name(call, context_.functions)) sites_.push_back({&call, &scope, refusal});
  const bool window = is_window_call(call);
  if (!window && !is_aggregate_call(call)) return;
  const Refusal* const inside = refusal  ? refusal
                                : window ? &refusals().window
                                         : &refusals().aggregate;
  sql::for_each_child(*sql::message_of(&call),
                      [&](Message& child) { visit(&child, scope, inside); });
}

}  // namespace coppice::exec
