#include "exec/select_form.h"

#include <algorithm>

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

// The stars of one SELECT.
class StarWriter {
 public:
  StarWriter(const PgQuery__SelectStmt& select, const Scope& scope, const FormContext& context)
      : select_(select), scope_(scope), context_(context) {}

  std::vector<Node*> write_out(const PgQuery__ColumnRef& star) const {
    const std::vector<std::string> names = sql::column_ref_names(star);
    if (names.size() > 1) {
      const ScopeRelation* const relation = scope_.find_relation(names[names.size() - 2]);
      if (!relation) throw_unknown_star();
      return columns_of_relation(*relation);
    }
    return scope_.is_known() ? visible_columns() : columns_of_all();
  }

 private:
  std::vector<Node*> visible_columns() const {
    std::vector<Node*> targets;
    for (const VisibleColumn& visible : scope_.visible()) {
      targets.push_back(column_target(context_.arena, visible.qualifier, visible.column.name));
    }
    return targets;
  }

  // Item by item, which is what * means as long as no join merges columns.
  std::vector<Node*> columns_of_all() const {
    const auto is_merged = [](const VisibleColumn& visible) { return visible.qualifier.empty(); };
    const std::vector<VisibleColumn>& visible = scope_.visible();
    if (std::any_of(visible.begin(), visible.end(), is_merged)) throw_unknown_star();
    std::vector<Node*> targets;
    for (const ScopeRelation& relation : scope_.relations()) {
      const std::vector<Node*> columns = columns_of_relation(relation);
      targets.insert(targets.end(), columns.begin(), columns.end());
    }
    return targets;
  }

  std::vector<Node*> columns_of_relation(const ScopeRelation& relation) const {
    std::vector<Node*> targets;
    if (relation.known) {
      for (const ColumnKind& column : relation.columns) {
        targets.push_back(column_target(context_.arena, relation.alias, column.name));
      }
      return targets;
    }
    for (const std::string& name : described(relation.alias)) {
      targets.push_back(column_target(context_.arena, relation.alias, name));
    }
    return targets;
  }

  // SELECT alias.* FROM …
  std::vector<std::string> described(const std::string& alias) const {
    if (alias.empty()) throw_unknown_star();
    PgQuery__SelectStmt* const query = sql::make::select(context_.arena);
    auto* const star = make_message<PgQuery__ColumnRef>(context_.arena);
    const std::vector<Node*> fields = {
        sql::make::name(context_.arena, alias),
        sql::make::wrap(context_.arena, make_message<PgQuery__AStar>(context_.arena))};
    sql::make::set_list(context_.arena, fields, star->n_fields, star->fields);
    star->location = -1;
    Node* const target = sql::make::target(context_.arena, sql::make::wrap(context_.arena, star));
    sql::make::set_list(context_.arena, {&target, 1}, query->n_target_list, query->target_list);
    query->n_from_clause = select_.n_from_clause;
    query->from_clause = select_.from_clause;
    query->with_clause = select_.with_clause;
    const auto names = context_.describe(*query);
    if (!names) throw_unknown_star();
    return *names;
  }

  const PgQuery__SelectStmt& select_;
  const Scope& scope_;
  const FormContext& context_;
};

void normalize_own_targets(PgQuery__SelectStmt& select, const Scope& scope,
                           const FormContext& context) {
  const StarWriter stars(select, scope, context);
  std::vector<Node*> targets;
  for (Node* const item : sql::nodes(select.n_target_list, select.target_list)) {
    auto& target = *as<PgQuery__ResTarget>(item);
    const auto* const reference = as<PgQuery__ColumnRef>(target.val);
    if (reference && is_star(*reference)) {
      const std::vector<Node*> columns = stars.write_out(*reference);
      targets.insert(targets.end(), columns.begin(), columns.end());
      continue;
    }
    if (*target.name == '\0') {
      target.name = context.arena.copy(default_column_name(target.val));
    }
    targets.push_back(item);
  }
  sql::make::set_list(context.arena, targets, select.n_target_list, select.target_list);
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
  normalize_own_targets(select, scope, context);
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
