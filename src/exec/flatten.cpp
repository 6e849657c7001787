#include "exec/flatten.h"

#include <algorithm>
#include <set>

#include "exec/column_map.h"
#include "exec/server_functions.h"

namespace coppice::exec {
namespace {

using sql::as;
using sql::Message;
using sql::Node;
using sql::Visit;

PgQuery__SelectStmt* query_of(const PgQuery__RangeSubselect& item) {
  return as<PgQuery__SelectStmt>(item.subquery);
}

// The names under which the outer query sees the subquery's columns.
std::vector<std::string> outer_names(const PgQuery__RangeSubselect& item) {
  const PgQuery__SelectStmt& query = *query_of(item);
  std::vector<std::string> names = sql::names_in(item.alias->n_colnames, item.alias->colnames);
  for (std::size_t i = names.size(); i < query.n_target_list; ++i) {
    names.emplace_back(target_at(query, i).name);
  }
  return names;
}

// nullopt when two columns have one name.
std::optional<std::map<std::string, Node*>> expressions_of(const PgQuery__RangeSubselect& item) {
  const PgQuery__SelectStmt& query = *query_of(item);
  const std::vector<std::string> names = outer_names(item);
  std::map<std::string, Node*> expressions;
  for (std::size_t i = 0; i < query.n_target_list; ++i) {
    if (!expressions.emplace(names[i], target_at(query, i).val).second) return std::nullopt;
  }
  return expressions;
}

bool any_target(const PgQuery__SelectStmt& select, bool (*test)(const Node*)) {
  const auto targets = sql::nodes(select.n_target_list, select.target_list);
  return std::any_of(targets.begin(), targets.end(), test);
}

// Every row of FROM that passes WHERE gives one row, whatever the others are.
bool is_row_by_row(const PgQuery__SelectStmt& query) {
  return !query.larg && query.n_values_lists == 0 && query.n_distinct_clause == 0 &&
         !query.limit_count && !query.limit_offset && !is_grouped(query) &&
         !any_target(query, has_window_call) && !any_target(query, has_set_returning_call);
}

// Whether WHERE above the join means the same within this item: not where a join adds NULLs to it.
bool filters_pass_to(const Node* from, const PgQuery__RangeSubselect& item) {
  if (as<PgQuery__RangeSubselect>(from) == &item) return true;
  const auto* const join = as<PgQuery__JoinExpr>(from);
  if (!join) return false;
  const bool left = join->jointype == PG_QUERY__JOIN_TYPE__JOIN_INNER ||
                    join->jointype == PG_QUERY__JOIN_TYPE__JOIN_LEFT;
  const bool right = join->jointype == PG_QUERY__JOIN_TYPE__JOIN_INNER ||
                     join->jointype == PG_QUERY__JOIN_TYPE__JOIN_RIGHT;
  return (left && filters_pass_to(join->larg, item)) ||
         (right && filters_pass_to(join->rarg, item));
}

void set_condition(PgQuery__SelectStmt& select, const std::vector<Node*>& terms,
                   sql::Arena& arena) {
  select.where_clause = terms.empty() ? nullptr : sql::make::and_of(arena, terms);
}

// Every name that the outer query may read; nullopt when it may read all.
std::optional<std::set<std::string>> names_read(const PgQuery__SelectStmt& outer,
                                                const PgQuery__RangeSubselect& item) {
  std::set<std::string> names;
  bool all = false;
  const Message* const inside = sql::message_of(item.subquery);
  sql::walk(sql::message_of(const_cast<PgQuery__SelectStmt*>(&outer)), [&](Message& message) {
    if (&message == inside) return Visit::kSkip;
    if (const auto* join = as<PgQuery__JoinExpr>(message)) {
      const auto merged = sql::names_in(join->n_using_clause, join->using_clause);
      names.insert(merged.begin(), merged.end());
      all = all || join->is_natural;
    }
    if (const auto* reference = as<PgQuery__ColumnRef>(message)) {
      const std::vector<std::string> parts = sql::column_ref_names(*reference);
      all = all || parts.back() == "*" || parts.back() == item.alias->aliasname;
      names.insert(parts.back());
    }
    return Visit::kInto;
  });
  if (all) return std::nullopt;
  return names;
}

bool sorts_by(const PgQuery__SelectStmt& query, std::size_t index) {
  const auto order = sql::nodes(query.n_sort_clause, query.sort_clause);
  return std::any_of(order.begin(), order.end(), [&](const Node* sort) {
    return target_of_order(query, as<PgQuery__SortBy>(sort)->node) == index;
  });
}

// The rewriting of one SELECT over one subquery, on a copy that is thrown away when it fails.
class Merger {
 public:
  Merger(PgQuery__SelectStmt& outer, const Scope& scope, const PgQuery__RangeSubselect& item,
         const FormContext& context)
      : outer_(outer), inner_(*query_of(item)), item_(item), context_(context), scope_(scope) {}

  bool run() {
    const auto expressions = expressions_of(item_);
    if (!expressions || !is_mergeable()) return false;
    const ColumnMap map(scope_, item_.alias->aliasname, *expressions);
    if (!calls_stay_in_place(map)) return false;
    copy_ = sql::clone(context_.arena, &outer_);
    if (!replace_all(map)) return false;
    adopt_inner();
    outer_ = *copy_;
    return true;
  }

 private:
  bool is_mergeable() const {
    const bool plain = !item_.lateral && !inner_.with_clause && is_row_by_row(inner_) &&
                       !any_target(inner_, has_volatile_call);
    return plain && outer_.n_values_lists == 0 && !outer_.larg;
  }

  bool is_call(const Node* node) const { return has_bound_call(node, context_.kinds.functions); }
  bool reads_call(const ColumnMap& map, const Node* node) const {
    return map.reads(node, [&](const Node* target) { return is_call(target); });
  }

  // Engine calls must not end up where they cannot stand (exec/call_sites.h).
  bool calls_stay_in_place(const ColumnMap& map) const {
    const auto refuses = [&](std::size_t count, Node** items) {
      const auto all = sql::nodes(count, items);
      return std::any_of(all.begin(), all.end(),
                         [&](const Node* node) { return reads_call(map, node); });
    };
    if (refuses(outer_.n_group_clause, outer_.group_clause)) return false;
    if (refuses(outer_.n_window_clause, outer_.window_clause)) return false;
    if (reads_call(map, outer_.having_clause)) return false;
    for (std::size_t i = 0; i < outer_.n_target_list; ++i) {
      if (!calls_stay_out_of_aggregates(map, target_at(outer_, i).val)) return false;
    }
    for (const Node* const sort : sql::nodes(outer_.n_sort_clause, outer_.sort_clause)) {
      if (!calls_stay_out_of_aggregates(map, as<PgQuery__SortBy>(sort)->node)) return false;
    }
    return true;
  }

  bool calls_stay_out_of_aggregates(const ColumnMap& map, const Node* expression) const {
    return sql::walk(const_cast<Node*>(expression), [&](Message& message) {
      auto* const call = as<PgQuery__FuncCall>(message);
      if (!call || !(is_aggregate_call(*call) || is_window_call(*call))) return Visit::kInto;
      const Node* const node = sql::make::wrap(context_.arena, call);
      return reads_call(map, node) ? Visit::kStop : Visit::kSkip;
    });
  }

  bool replace(const ColumnMap& map, Node*& node) {
    if (!node) return true;
    if (!map.can_replace(node)) return false;
    map.replace(node, context_.arena);
    return true;
  }

  bool replace_list(const ColumnMap& map, std::size_t count, Node** items) {
    const auto all = sql::nodes(count, items);
    return std::all_of(all.begin(), all.end(), [&](Node*& node) { return replace(map, node); });
  }

  // In ORDER BY and GROUP BY names may mean results, and constants would mean positions.
  bool replace_key(const ColumnMap& map, Node*& node, bool is_result) {
    if (is_result) return true;
    return replace(map, node) && !as<PgQuery__AConst>(node);
  }

  bool replace_all(const ColumnMap& map) {
    for (std::size_t i = 0; i < copy_->n_target_list; ++i) {
      if (!replace(map, target_at(*copy_, i).val)) return false;
    }
    for (Node*& node : sql::nodes(copy_->n_group_clause, copy_->group_clause)) {
      const bool is_result = target_of_group(outer_, node, scope_).has_value();
      if (!replace_key(map, node, is_result)) return false;
    }
    for (Node* const item : sql::nodes(copy_->n_sort_clause, copy_->sort_clause)) {
      Node*& node = as<PgQuery__SortBy>(item)->node;
      if (!replace_key(map, node, target_of_order(outer_, node).has_value())) return false;
    }
    for (Node*& node : sql::nodes(copy_->n_distinct_clause, copy_->distinct_clause)) {
      if (!sql::message_of(node)) continue;  // plain DISTINCT
      if (!replace_key(map, node, target_of_order(outer_, node).has_value())) return false;
    }
    return replace(map, copy_->where_clause) && replace(map, copy_->having_clause) &&
           replace_list(map, copy_->n_window_clause, copy_->window_clause);
  }

  void adopt_inner() {
    PgQuery__SelectStmt* const inner = sql::clone(context_.arena, &inner_);
    copy_->n_from_clause = inner->n_from_clause;
    copy_->from_clause = inner->from_clause;
    std::vector<Node*> terms = and_terms(inner->where_clause);
    const std::vector<Node*> own = and_terms(copy_->where_clause);
    terms.insert(terms.end(), own.begin(), own.end());
    set_condition(*copy_, terms, context_.arena);
    const bool keeps_order =
        copy_->n_sort_clause == 0 && copy_->n_distinct_clause == 0 && !is_grouped(*copy_);
    if (!keeps_order) return;
    resolve_order(*inner, context_.arena);
    copy_->n_sort_clause = inner->n_sort_clause;
    copy_->sort_clause = inner->sort_clause;
  }

  PgQuery__SelectStmt& outer_;
  const PgQuery__SelectStmt& inner_;
  const PgQuery__RangeSubselect& item_;
  const FormContext& context_;
  const Scope& scope_;
  PgQuery__SelectStmt* copy_ = nullptr;
};

}  // namespace

void move_conditions(PgQuery__SelectStmt& outer, const Scope& scope,
                     const PgQuery__RangeSubselect& item, const FormContext& context) {
  PgQuery__SelectStmt* const inner = query_of(item);
  const auto expressions = expressions_of(item);
  if (!inner || !expressions || item.lateral || !is_row_by_row(*inner)) return;
  const auto from = sql::nodes(outer.n_from_clause, outer.from_clause);
  if (std::none_of(from.begin(), from.end(),
                   [&](const Node* node) { return filters_pass_to(node, item); })) {
    return;
  }
  const ColumnMap map(scope, item.alias->aliasname, *expressions);
  std::vector<Node*> kept, moved = and_terms(inner->where_clause);
  for (Node* term : and_terms(outer.where_clause)) {
    const bool reads_volatile = map.reads(term, has_volatile_call);
    const bool moves = map.can_replace(term) && map.reads_only_this(term) && !reads_volatile &&
                       !has_volatile_call(term) &&
                       map.reads(term, [](const Node*) { return true; });
    if (!moves) {
      kept.push_back(term);
      continue;
    }
    map.replace(term, context.arena);
    moved.push_back(term);
  }
  set_condition(*inner, moved, context.arena);
  set_condition(outer, kept, context.arena);
}

void drop_unread(const PgQuery__SelectStmt& outer, const PgQuery__RangeSubselect& item,
                 const FormContext& context) {
  PgQuery__SelectStmt* const inner = query_of(item);
  if (!inner || inner->larg || inner->n_values_lists > 0 || inner->n_distinct_clause > 0) return;
  const auto read = names_read(outer, item);
  if (!read) return;
  const std::vector<std::string> names = outer_names(item);
  for (std::size_t i = 0; i < inner->n_target_list; ++i) {
    PgQuery__ResTarget& target = target_at(*inner, i);
    const bool unread = !read->contains(names[i]) && !sorts_by(*inner, i);
    if (unread && has_bound_call(target.val, context.kinds.functions)) {
      target.val = sql::make::null_constant(context.arena);
    }
  }
}

bool merge_subquery(PgQuery__SelectStmt& outer, const Scope& scope,
                    const PgQuery__RangeSubselect& item, const FormContext& context) {
  return query_of(item) && Merger(outer, scope, item, context).run();
}

}  // namespace coppice::exec
