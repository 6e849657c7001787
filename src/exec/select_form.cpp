#include "exec/select_form.h"

#include "exec/column_names.h"

namespace coppice::exec {
namespace {

using sql::as;
using sql::Node;

Node* column_target(sql::Arena& arena, const std::string& qualifier, const std::string& name) {
  return sql::make::target(arena, make_column(arena, qualifier, name, -1), name);
}

[[noreturn]] void throw_unknown_star() {
  throw Error(ErrorCode::kUnsupported, "the columns that * stands for are not known here",
              "Write out the columns.");
}

// The columns that one star stands for.
std::vector<Node*> write_out(const PgQuery__ColumnRef& star, const Scope& scope,
                             sql::Arena& arena) {
  const std::vector<std::string> names = sql::column_ref_names(star);
  std::vector<Node*> targets;
  if (names.size() == 1) {
    if (!scope.is_known()) throw_unknown_star();
    for (const VisibleColumn& visible : scope.visible()) {
      targets.push_back(column_target(arena, visible.qualifier, visible.column.name));
    }
    return targets;
  }
  const std::string& alias = names[names.size() - 2];
  const ScopeRelation* const relation = scope.find_relation(alias);
  if (!relation || !relation->known) throw_unknown_star();
  for (const ColumnKind& column : relation->columns) {
    targets.push_back(column_target(arena, alias, column.name));
  }
  return targets;
}

void normalize_own_targets(PgQuery__SelectStmt& select, const Scope& scope, sql::Arena& arena) {
  std::vector<Node*> targets;
  for (Node* const item : sql::nodes(select.n_target_list, select.target_list)) {
    auto& target = *as<PgQuery__ResTarget>(item);
    const auto* const reference = as<PgQuery__ColumnRef>(target.val);
    if (reference && is_star(*reference)) {
      const std::vector<Node*> columns = write_out(*reference, scope, arena);
      targets.insert(targets.end(), columns.begin(), columns.end());
      continue;
    }
    if (*target.name == '\0') target.name = arena.copy(default_column_name(target.val));
    targets.push_back(item);
  }
  sql::make::set_list(arena, targets, select.n_target_list, select.target_list);
}

void normalize_from(Node* item, const Scope& scope, const FormContext& context) {
  if (const auto* join = as<PgQuery__JoinExpr>(item)) {
    normalize_from(join->larg, scope, context);
    normalize_from(join->rarg, scope, context);
  } else if (const auto* subselect = as<PgQuery__RangeSubselect>(item)) {
    auto* const query = as<PgQuery__SelectStmt>(subselect->subquery);
    if (query) normalize_targets(*query, &scope, context);
  }
}

bool is_plain_constant(const Node* node) { return as<PgQuery__AConst>(node) != nullptr; }

std::optional<std::size_t> by_number(const PgQuery__SelectStmt& select, const Node* expression) {
  const auto* const constant = as<PgQuery__AConst>(expression);
  const bool number = constant && constant->val_case == PG_QUERY__A__CONST__VAL_IVAL;
  if (!number || constant->isnull) return std::nullopt;
  const auto index = static_cast<std::size_t>(constant->ival->ival) - 1;
  return index < select.n_target_list ? std::optional(index) : std::nullopt;
}

std::optional<std::size_t> by_name(const PgQuery__SelectStmt& select, const Node* expression) {
  const auto* const reference = as<PgQuery__ColumnRef>(expression);
  if (!reference || reference->n_fields != 1) return std::nullopt;
  const std::string name = sql::column_ref_names(*reference).front();
  for (std::size_t i = 0; i < select.n_target_list; ++i) {
    if (name == target_at(select, i).name) return i;
  }
  return std::nullopt;
}

std::optional<std::size_t> by_value(const PgQuery__SelectStmt& select, const Node* expression) {
  for (std::size_t i = 0; i < select.n_target_list; ++i) {
    if (sql::equal(target_at(select, i).val, expression)) return i;
  }
  return std::nullopt;
}

}  // namespace

void normalize_targets(PgQuery__SelectStmt& select, const Scope* outer,
                       const FormContext& context) {
  if (!has_bound_call(select, context.kinds.functions)) return;
  const Scope scope = scope_of(select, outer, context.kinds);
  if (select.with_clause) {
    for (Node* const item : sql::nodes(select.with_clause->n_ctes, select.with_clause->ctes)) {
      auto* const query = as<PgQuery__SelectStmt>(as<PgQuery__CommonTableExpr>(item)->ctequery);
      if (query) normalize_targets(*query, &scope, context);
    }
  }
  if (select.larg) {
    normalize_targets(*select.larg, &scope, context);
    normalize_targets(*select.rarg, &scope, context);
    return;
  }
  for (Node* const item : sql::nodes(select.n_from_clause, select.from_clause)) {
    normalize_from(item, scope, context);
  }
  normalize_own_targets(select, scope, context.arena);
}

std::optional<std::size_t> target_of_order(const PgQuery__SelectStmt& select,
                                           const Node* expression) {
  if (const auto index = by_number(select, expression)) return index;
  if (const auto index = by_name(select, expression)) return index;
  return by_value(select, expression);
}

std::optional<std::size_t> target_of_group(const PgQuery__SelectStmt& select,
                                           const Node* expression, const Scope& scope) {
  if (const auto index = by_number(select, expression)) return index;
  const auto* const reference = as<PgQuery__ColumnRef>(expression);
  const auto resolved = reference ? scope.resolve(*reference) : std::nullopt;
  if (!resolved || resolved->level > 0) {
    if (const auto index = by_name(select, expression)) return index;
  }
  return std::nullopt;
}

void resolve_group(PgQuery__SelectStmt& select, const Scope& scope, sql::Arena& arena) {
  const auto resolve = [&](Node*& item) {
    const auto index = target_of_group(select, item, scope);
    if (index) item = sql::clone(arena, target_at(select, *index).val);
  };
  for (Node*& item : sql::nodes(select.n_group_clause, select.group_clause)) {
    // Inside GROUPING SETS, ROLLUP and CUBE the items are a list.
    if (item->node_case == PG_QUERY__NODE__NODE_GROUPING_SET) {
      for (Node*& inner : sql::nodes(item->grouping_set->n_content, item->grouping_set->content)) {
        resolve(inner);
      }
    } else {
      resolve(item);
    }
  }
}

void resolve_order(PgQuery__SelectStmt& select, sql::Arena& arena) {
  std::vector<Node*> kept;
  for (Node* const item : sql::nodes(select.n_sort_clause, select.sort_clause)) {
    auto& sort = *as<PgQuery__SortBy>(item);
    const auto index = target_of_order(select, sort.node);
    if (index) sort.node = sql::clone(arena, target_at(select, *index).val);
    if (!is_plain_constant(sort.node)) kept.push_back(item);
  }
  sql::make::set_list(arena, kept, select.n_sort_clause, select.sort_clause);
}

PgQuery__SelectStmt* select_from(sql::Arena& arena, PgQuery__SelectStmt* query,
                                 std::string_view alias) {
  PgQuery__SelectStmt* const select = sql::make::select(arena);
  Node* const item = sql::make::subquery(arena, query, alias);
  sql::make::set_list(arena, std::span(&item, 1), select->n_from_clause, select->from_clause);
  return select;
}

}  // namespace coppice::exec
