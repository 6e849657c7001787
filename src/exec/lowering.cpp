#include "exec/lowering.h"

#include <fmt/format.h>

#include <algorithm>

#include "exec/flatten.h"
#include "exec/server_functions.h"
#include "exec/split.h"
#include "sql/deparse.h"

namespace coppice::exec {
namespace {

using sql::as;
using sql::Message;
using sql::Node;
using sql::Visit;

PgQuery__CommonTableExpr& cte_of(Node* item) { return *as<PgQuery__CommonTableExpr>(item); }

PgQuery__SelectStmt* cte_query(Node* item) {
  return as<PgQuery__SelectStmt>(cte_of(item).ctequery);
}

bool is_cte_reference(const PgQuery__RangeVar* table, std::string_view name) {
  return table && *table->schemaname == '\0' && table->relname == name;
}

// How often a CTE is read, in the whole statement that defines it.
int count_references(const PgQuery__SelectStmt& select, std::string_view name) {
  int count = 0;
  sql::walk(sql::message_of(const_cast<PgQuery__SelectStmt*>(&select)), [&](Message& message) {
    if (is_cte_reference(as<PgQuery__RangeVar>(message), name)) ++count;
    return Visit::kInto;
  });
  return count;
}

// The place in FROM, joins looked through, where a CTE is read; nullptr when it is elsewhere.
Node** find_reference(Node*& item, std::string_view name) {
  if (is_cte_reference(as<PgQuery__RangeVar>(item), name)) return &item;
  auto* const join = as<PgQuery__JoinExpr>(item);
  if (!join) return nullptr;
  Node** const left = find_reference(join->larg, name);
  return left ? left : find_reference(join->rarg, name);
}

// The CTE's query as a subquery in FROM, under the names by which it is read.
Node* as_subquery(const PgQuery__RangeVar& reference, const PgQuery__CommonTableExpr& cte,
                  sql::Arena& arena) {
  Node* const node = sql::make::subquery(arena, as<PgQuery__SelectStmt>(cte.ctequery),
                                         sql::relation_alias(reference));
  PgQuery__Alias& alias = *as<PgQuery__RangeSubselect>(node)->alias;
  const bool renamed = reference.alias && reference.alias->n_colnames > 0;
  alias.n_colnames = renamed ? reference.alias->n_colnames : cte.n_aliascolnames;
  alias.colnames = renamed ? reference.alias->colnames : cte.aliascolnames;
  return node;
}

}  // namespace

Lowering::Lowering(const SelectSession& session, sql::Arena& arena)
    : relations_(session.relations, session.source),
      session_{session.source, session.side, session.pool, session.functions, relations_},
      arena_(arena),
      form_{arena, {session.functions, relations_}, [this](const PgQuery__SelectStmt& query) {
              return describe_names(query);
            }} {}

LoweredSelect Lowering::run(PgQuery__SelectStmt& select) {
  normalize_targets(select, nullptr, form_);
  lower(select, {});
  if (has_calls(select)) {
    result_.top = std::make_unique<EngineSelect>(session_, arena_, select);
  } else {
    result_.sql = sql::deparse(sql::make::wrap(arena_, &select));
  }
  return std::move(result_);
}

std::optional<std::vector<std::string>> Lowering::describe_names(const PgQuery__SelectStmt& query) {
  const std::string text =
      sql::deparse(sql::make::wrap(arena_, const_cast<PgQuery__SelectStmt*>(&query)));
  std::vector<std::string> names;
  try {
    for (const pg::Column& column : session_.source.describe(text).columns) {
      names.push_back(column.name);
    }
  } catch (const pg::ServerError&) {
    return std::nullopt;  // it reads what only the queries around it define
  }
  return names;
}

// Leaves the query without engine calls, or as an engine select with calls of its own only.
void Lowering::lower(PgQuery__SelectStmt& select, const Ctes& outer) {
  if (!has_calls(select)) return;
  inline_ctes(select);
  const Ctes ctes = lower_ctes(select, outer);
  if (select.larg) {
    for (PgQuery__SelectStmt* const arm : {select.larg, select.rarg}) {
      lower(*arm, ctes);
      if (has_calls(*arm)) keep_rows(*arm, ctes);
    }
    return;
  }
  // First: whether a subquery can be merged depends on what GROUP BY 1 means.
  resolve_group(select, scope_with(select, ctes), arena_);
  lower_from(select, ctes);
  if (!has_calls(select)) return;
  const Scope scope = scope_with(select, ctes);
  if (has_calls(select.where_clause) && needs_whole_rows(select)) {
    keep_rows(split_condition(select, scope, arena_), ctes);
  }
  if (!has_calls(select)) return;
  if (must_split_order(select)) {
    keep_rows(split_order(select, arena_), ctes);
  } else {
    resolve_order(select, arena_);
  }
}

// A CTE that is read once, in FROM, is as good as a subquery there, and can be merged like one.
void Lowering::inline_ctes(PgQuery__SelectStmt& select) {
  PgQuery__WithClause* const with = select.with_clause;
  if (!with || with->recursive) return;
  std::vector<Node*> kept;
  for (Node* const item : sql::nodes(with->n_ctes, with->ctes)) {
    const PgQuery__CommonTableExpr& cte = cte_of(item);
    const auto* const query = cte_query(item);
    Node** place = nullptr;
    for (Node*& from : sql::nodes(select.n_from_clause, select.from_clause)) {
      if (!place) place = find_reference(from, cte.ctename);
    }
    const bool both_rename = place && cte.n_aliascolnames > 0 &&
                             as<PgQuery__RangeVar>(*place)->alias &&
                             as<PgQuery__RangeVar>(*place)->alias->n_colnames > 0;
    const bool inlines = query && place && !both_rename && has_calls(*query) &&
                         cte.ctematerialized != PG_QUERY__CTEMATERIALIZE__CTEMaterializeAlways &&
                         count_references(select, cte.ctename) == 1;
    if (inlines) {
      *place = as_subquery(*as<PgQuery__RangeVar>(*place), cte, arena_);
    } else {
      kept.push_back(item);
    }
  }
  sql::make::set_list(arena_, kept, with->n_ctes, with->ctes);
  if (kept.empty()) select.with_clause = nullptr;
}

Lowering::Ctes Lowering::lower_ctes(PgQuery__SelectStmt& select, const Ctes& outer) {
  Ctes ctes = outer;
  PgQuery__WithClause* const with = select.with_clause;
  if (!with) return ctes;
  ctes.recursive = ctes.recursive || with->recursive;
  std::vector<Node*> kept;
  for (Node* const item : sql::nodes(with->n_ctes, with->ctes)) {
    const std::string_view name = cte_of(item).ctename;
    PgQuery__SelectStmt* const query = cte_query(item);
    if (query && has_calls(*query)) {
      // PostgreSQL does not run what nobody reads either.
      if (count_references(select, name) == 0) continue;
      lower(*query, ctes);
      if (has_calls(*query)) keep_rows(*query, ctes);
    }
    std::erase_if(ctes.items, [&](Node* other) { return name == cte_of(other).ctename; });
    ctes.items.push_back(item);
    kept.push_back(item);
  }
  sql::make::set_list(arena_, kept, with->n_ctes, with->ctes);
  if (kept.empty()) select.with_clause = nullptr;
  return ctes;
}

void Lowering::lower_from(PgQuery__SelectStmt& select, const Ctes& ctes) {
  const std::vector<Node*> items(select.from_clause, select.from_clause + select.n_from_clause);
  for (Node* const item : items) lower_item(select, item, ctes);
}

void Lowering::lower_item(PgQuery__SelectStmt& select, Node* item, const Ctes& ctes) {
  if (const auto* join = as<PgQuery__JoinExpr>(item)) {
    lower_item(select, join->larg, ctes);
    lower_item(select, join->rarg, ctes);
    return;
  }
  auto* const subselect = as<PgQuery__RangeSubselect>(item);
  auto* const query = subselect ? as<PgQuery__SelectStmt>(subselect->subquery) : nullptr;
  if (!query || !has_calls(*query)) return;
  const Scope scope = scope_with(select, ctes);
  move_conditions(select, scope, *subselect, form_);
  drop_unread(select, *subselect, form_);
  lower(*query, ctes);
  if (!has_calls(*query)) return;
  const bool alone = select.n_from_clause == 1 && select.from_clause[0] == item;
  if (!alone || !merge_subquery(select, scope, *subselect, form_)) keep_rows(*query, ctes);
}

// Runs the query into a TEMP table, and makes it a query of that table.
void Lowering::keep_rows(PgQuery__SelectStmt& query, const Ctes& ctes) {
  PgQuery__SelectStmt& whole = with_ctes(query, ctes);
  std::vector<std::string> types;
  const std::string text = sql::deparse(sql::make::wrap(arena_, &whole));
  for (const pg::Column& column : session_.source.describe(text).columns) {
    types.push_back(column.type_name);
  }
  EngineSelect select(session_, arena_, whole);
  TempTable rows(session_.source, types);
  PgQuery__SelectStmt* const reading = sql::make::select(arena_);
  Node* const table = sql::make::wrap(arena_, sql::make::relation(arena_, "pg_temp", rows.name()));
  sql::make::set_list(arena_, std::span(&table, 1), reading->n_from_clause, reading->from_clause);
  std::vector<Node*> targets;
  for (std::size_t i = 0; i < query.n_target_list; ++i) {
    targets.push_back(sql::make::target(arena_, sql::make::column(arena_, {TempTable::column(i)}),
                                        target_at(query, i).name));
  }
  sql::make::set_list(arena_, targets, reading->n_target_list, reading->target_list);
  query = *reading;
  result_.stages.push_back({std::move(select), std::move(rows)});
}

// A copy of the query with all CTEs that it sees.
PgQuery__SelectStmt& Lowering::with_ctes(const PgQuery__SelectStmt& select, const Ctes& ctes) {
  auto* const whole = make_message<PgQuery__SelectStmt>(arena_);
  *whole = select;
  std::vector<Node*> items = ctes.items;
  if (const PgQuery__WithClause* const own = select.with_clause) {
    for (Node* const item : sql::nodes(own->n_ctes, own->ctes)) {
      const std::string_view name = cte_of(item).ctename;
      std::erase_if(items, [&](Node* other) { return name == cte_of(other).ctename; });
    }
    items.insert(items.end(), own->ctes, own->ctes + own->n_ctes);
  }
  if (items.empty()) return *whole;
  whole->with_clause = make_message<PgQuery__WithClause>(arena_);
  whole->with_clause->recursive =
      ctes.recursive || (select.with_clause && select.with_clause->recursive);
  whole->with_clause->location = -1;
  sql::make::set_list(arena_, items, whole->with_clause->n_ctes, whole->with_clause->ctes);
  return *whole;
}

bool Lowering::has_calls(const PgQuery__SelectStmt& select) const {
  return has_bound_call(select, session_.functions);
}

bool Lowering::has_calls(const Node* node) const {
  return has_bound_call(node, session_.functions);
}

// Whether a result depends on which other rows there are.
bool Lowering::needs_whole_rows(const PgQuery__SelectStmt& select) const {
  const auto targets = sql::nodes(select.n_target_list, select.target_list);
  const auto order = sql::nodes(select.n_sort_clause, select.sort_clause);
  return is_grouped(select) || std::any_of(targets.begin(), targets.end(), has_window_call) ||
         std::any_of(order.begin(), order.end(), has_window_call);
}

// Whether rows must be sorted, compared or counted after the calls.
bool Lowering::must_split_order(const PgQuery__SelectStmt& select) const {
  const bool with_ties = select.limit_option == PG_QUERY__LIMIT_OPTION__LIMIT_OPTION_WITH_TIES;
  if (select.n_distinct_clause > 0 || (with_ties && has_calls(select.where_clause))) return true;
  const auto order = sql::nodes(select.n_sort_clause, select.sort_clause);
  return std::any_of(order.begin(), order.end(), [&](const Node* item) {
    const Node* const key = as<PgQuery__SortBy>(item)->node;
    const auto index = target_of_order(select, key);
    return has_calls(index ? target_at(select, *index).val : key);
  });
}

Scope Lowering::scope_with(const PgQuery__SelectStmt& select, const Ctes& ctes) {
  return scope_of(with_ctes(select, ctes), nullptr, form_.kinds);
}

}  // namespace coppice::exec
