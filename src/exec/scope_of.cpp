// The scope that a FROM clause makes, and the columns that a query gives.
#include <utility>

#include "exec/column_names.h"
#include "exec/kinds.h"
#include "exec/syntax.h"

namespace coppice::exec {
namespace {

using sql::as;
using sql::Node;

struct AliasNames {
  std::string alias;
  std::vector<std::string> columns;
};

AliasNames read_alias(const PgQuery__Alias* alias) {
  if (!alias) return {};
  return {alias->aliasname, sql::names_in(alias->n_colnames, alias->colnames)};
}

ScopeItem relation_item(std::optional<ColumnKinds> columns, const AliasNames& alias,
                        std::string schema = {}) {
  ScopeRelation relation{std::move(schema), alias.alias, columns.has_value(), {}};
  if (columns) relation.columns = std::move(*columns);
  rename_columns(relation.columns, alias.columns);
  return item_of_relation(std::move(relation));
}

ScopeItem table_item(const PgQuery__RangeVar& table, const Scope& scope,
                     const KindContext& context) {
  const std::string schema = table.schemaname;
  AliasNames alias = read_alias(table.alias);
  const bool has_alias = !alias.alias.empty();
  if (!has_alias) alias.alias = table.relname;
  if (schema.empty()) {
    if (const auto* cte = scope.find_cte(table.relname)) return relation_item(*cte, alias);
  }
  return relation_item(context.relations.columns_of(sql::split_version(schema, table.relname)),
                       alias, has_alias ? "" : schema);
}

// AS x(a image, b text): the definitions say names and types.
ColumnKinds defined_columns(const PgQuery__RangeFunction& function) {
  ColumnKinds columns;
  for (Node* const item : sql::nodes(function.n_coldeflist, function.coldeflist)) {
    const auto* const definition = as<PgQuery__ColumnDef>(item);
    columns.push_back({definition->colname, media_kind_of_type_name(*definition->type_name)});
  }
  return columns;
}

ScopeItem function_item(const PgQuery__RangeFunction& function, const KindContext& context) {
  const AliasNames alias = read_alias(function.alias);
  if (function.n_coldeflist > 0) return relation_item(defined_columns(function), alias);
  std::optional<ColumnKinds> columns = context.relations.columns_of_function(function);
  if (columns) return relation_item(std::move(columns), alias);
  ScopeItem item = relation_item(std::nullopt, alias);
  // Not all columns are known, but those that the alias names exist.
  for (const std::string& name : alias.columns) {
    item.relations.front().columns.push_back({name, std::nullopt});
    item.visible.push_back({{name, std::nullopt}, alias.alias});
  }
  return item;
}

ScopeItem from_item(const Node* node, Scope& scope, const KindContext& context);

ScopeItem join_item(const PgQuery__JoinExpr& join, Scope& scope, const KindContext& context) {
  ScopeItem left = from_item(join.larg, scope, context);
  ScopeItem right = from_item(join.rarg, scope, context);
  const std::vector<std::string> merged =
      join.is_natural ? common_names(left, right)
                      : sql::names_in(join.n_using_clause, join.using_clause);
  return join_items(std::move(left), std::move(right), merged, read_alias(join.alias).alias);
}

ScopeItem from_item(const Node* node, Scope& scope, const KindContext& context) {
  if (const auto* table = as<PgQuery__RangeVar>(node)) return table_item(*table, scope, context);
  if (const auto* join = as<PgQuery__JoinExpr>(node)) return join_item(*join, scope, context);
  if (const auto* sampled = as<PgQuery__RangeTableSample>(node)) {
    return from_item(sampled->relation, scope, context);
  }
  if (const auto* function = as<PgQuery__RangeFunction>(node)) {
    return function_item(*function, context);
  }
  if (const auto* subselect = as<PgQuery__RangeSubselect>(node)) {
    const auto* const query = as<PgQuery__SelectStmt>(subselect->subquery);
    // Items to the left are in sight for LATERAL; for others a wrong name is PostgreSQL's to say.
    return relation_item(query ? columns_of(*query, &scope, context) : std::nullopt,
                         read_alias(subselect->alias));
  }
  return relation_item(std::nullopt, {});
}

void add_ctes(const PgQuery__WithClause& with, Scope& scope, const KindContext& context) {
  for (Node* const item : sql::nodes(with.n_ctes, with.ctes)) {
    const auto* const cte = as<PgQuery__CommonTableExpr>(item);
    const auto* query = as<PgQuery__SelectStmt>(cte->ctequery);
    // The columns of a recursive one are those of its first part.
    if (with.recursive && query && query->larg) query = query->larg;
    std::optional<ColumnKinds> columns = query ? columns_of(*query, &scope, context) : std::nullopt;
    if (columns) rename_columns(*columns, sql::names_in(cte->n_aliascolnames, cte->aliascolnames));
    scope.add_cte(cte->ctename, std::move(columns));
  }
}

// Appends what `*` or `alias.*` gives; false when that is not known.
bool append_star(const PgQuery__ColumnRef& star, const Scope& scope, ColumnKinds& columns) {
  const std::vector<std::string> names = sql::names_in(star.n_fields, star.fields);
  if (names.size() == 1) {
    for (const VisibleColumn& visible : scope.visible()) columns.push_back(visible.column);
    return scope.is_known();
  }
  const ScopeRelation* const relation = scope.find_relation(names[names.size() - 2]);
  if (!relation || !relation->known) return false;
  columns.insert(columns.end(), relation->columns.begin(), relation->columns.end());
  return true;
}

std::optional<ColumnKinds> columns_of_values(const PgQuery__SelectStmt& values, const Scope& scope,
                                             const KindContext& context) {
  const auto* const first = as<PgQuery__List>(values.values_lists[0]);
  ColumnKinds columns;
  for (std::size_t i = 0; i < first->n_items; ++i) {
    PossibleKinds kinds;
    for (Node* const row : sql::nodes(values.n_values_lists, values.values_lists)) {
      const auto* const list = as<PgQuery__List>(row);
      if (i < list->n_items) kinds.merge(possible_kinds(list->items[i], scope, context));
    }
    columns.push_back({"column" + std::to_string(i + 1), kinds.only()});
  }
  return columns;
}

std::optional<ColumnKinds> columns_of_set(const PgQuery__SelectStmt& select, const Scope& scope,
                                          const KindContext& context) {
  std::optional<ColumnKinds> left = columns_of(*select.larg, &scope, context);
  const std::optional<ColumnKinds> right = columns_of(*select.rarg, &scope, context);
  if (!left || !right || left->size() != right->size()) return left;
  for (std::size_t i = 0; i < left->size(); ++i) {
    if ((*left)[i].kind != (*right)[i].kind) (*left)[i].kind = std::nullopt;
    (*left)[i].key = false;
  }
  return left;
}

}  // namespace

Scope scope_of(const PgQuery__SelectStmt& select, const Scope* outer, const KindContext& context) {
  Scope scope(outer);
  if (select.with_clause) add_ctes(*select.with_clause, scope, context);
  for (const Node* const item : sql::nodes(select.n_from_clause, select.from_clause)) {
    scope.add(from_item(item, scope, context));
  }
  return scope;
}

std::optional<ColumnKinds> columns_of(const PgQuery__SelectStmt& select, const Scope* outer,
                                      const KindContext& context) {
  const Scope scope = scope_of(select, outer, context);
  if (select.larg) return columns_of_set(select, scope, context);
  if (select.n_values_lists > 0) return columns_of_values(select, scope, context);
  ColumnKinds columns;
  for (Node* const item : sql::nodes(select.n_target_list, select.target_list)) {
    const auto* const target = as<PgQuery__ResTarget>(item);
    const auto* const reference = as<PgQuery__ColumnRef>(target->val);
    if (reference && is_star(*reference)) {
      if (!append_star(*reference, scope, columns)) return std::nullopt;
      continue;
    }
    const bool named = *target->name != '\0';
    columns.push_back({named ? target->name : default_column_name(target->val),
                       infer_kind(target->val, scope, context)});
  }
  return columns;
}

}  // namespace coppice::exec
