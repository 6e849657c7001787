#include "exec/split.h"

#include <fmt/format.h>

#include <set>

#include "exec/column_map.h"

namespace coppice::exec {
namespace {

using sql::as;
using sql::Message;
using sql::Node;
using sql::Visit;

constexpr std::string_view kRows = "coppice_rows";

std::string numbered(std::size_t number) { return fmt::format("c{}", number); }

// What the inner query of a split condition starts from.
PgQuery__SelectStmt* inner_of(const PgQuery__SelectStmt& select, sql::Arena& arena) {
  PgQuery__SelectStmt* const inner = sql::make::select(arena);
  inner->n_from_clause = select.n_from_clause;
  inner->from_clause = select.from_clause;
  inner->where_clause = select.where_clause;
  return inner;
}

void read_from(PgQuery__SelectStmt& select, PgQuery__SelectStmt* inner,
               const std::vector<Node*>& targets, std::string_view alias, sql::Arena& arena) {
  sql::make::set_list(arena, targets, inner->n_target_list, inner->target_list);
  Node* const item = sql::make::subquery(arena, inner, alias);
  sql::make::set_list(arena, std::span(&item, 1), select.n_from_clause, select.from_clause);
  select.where_clause = nullptr;
}

// Calls visit for every reference of the select outside of FROM and WHERE.
void for_each_reference(PgQuery__SelectStmt& select,
                        const std::function<void(PgQuery__ColumnRef&)>& visit) {
  PgQuery__SelectStmt rest = select;
  rest.n_from_clause = 0;
  rest.where_clause = nullptr;
  rest.with_clause = nullptr;
  sql::walk(sql::message_of(&rest), [&](Message& message) {
    if (auto* const reference = as<PgQuery__ColumnRef>(message)) visit(*reference);
    return Visit::kInto;
  });
}

// With one FROM item the inner query takes over its alias, and no reference needs to change.
PgQuery__SelectStmt* split_one_item(PgQuery__SelectStmt& select, const ScopeRelation& relation,
                                    sql::Arena& arena) {
  std::set<std::string> read;
  bool all = false;
  for_each_reference(select, [&](PgQuery__ColumnRef& reference) {
    const std::vector<std::string> names = sql::column_ref_names(reference);
    all = all || names.back() == "*" || names.back() == relation.alias;
    read.insert(names.back());
    if (names.size() != 3) return;
    // schema.table.column cannot reach a subquery.
    const bool here = names[0] == relation.schema && names[1] == relation.alias;
    if (here) reference.fields += 1, reference.n_fields -= 1;
  });
  std::vector<Node*> targets;
  for (const ColumnKind& column : relation.columns) {
    if (!all && !read.contains(column.name)) continue;
    targets.push_back(
        sql::make::target(arena, make_column(arena, relation.alias, column.name, -1), column.name));
  }
  if (targets.empty()) {
    targets.push_back(
        sql::make::target(arena, sql::make::integer_constant(arena, 1), "coppice_row"));
  }
  PgQuery__SelectStmt* const inner = inner_of(select, arena);
  read_from(select, inner, targets, relation.alias, arena);
  return inner;
}

[[noreturn]] void throw_too_complex() {
  throw Error(ErrorCode::kUnsupported,
              "a condition with an engine function stands beside grouping or window functions over "
              "several tables, with a subquery or a whole row among the expressions",
              "Filter in a subquery first: SELECT … FROM (SELECT … FROM … WHERE …) s GROUP BY …");
}

// Items of ORDER BY and DISTINCT ON that mean a result become its number.
void number_results(PgQuery__SelectStmt& select, sql::Arena& arena) {
  const auto number = [&](Node*& node) {
    const auto index = target_of_order(select, node);
    if (index) {
      node = sql::make::integer_constant(arena, static_cast<std::int64_t>(*index) + 1);
    }
  };
  for (Node* const item : sql::nodes(select.n_sort_clause, select.sort_clause)) {
    number(as<PgQuery__SortBy>(item)->node);
  }
  for (Node*& node : sql::nodes(select.n_distinct_clause, select.distinct_clause)) {
    if (sql::message_of(node)) number(node);
  }
}

// With several items every column that is read gets a number.
PgQuery__SelectStmt* split_items(PgQuery__SelectStmt& select, const Scope& scope,
                                 sql::Arena& arena) {
  number_results(select, arena);
  PgQuery__SelectStmt rest = select;
  rest.n_from_clause = 0;
  rest.where_clause = nullptr;
  if (has_sub_link(sql::make::wrap(arena, &rest))) throw_too_complex();
  std::map<std::pair<std::string, std::string>, std::string> columns;
  std::vector<Node*> targets;
  for_each_reference(select, [&](PgQuery__ColumnRef& reference) {
    const auto resolved = scope.resolve(reference);
    if (!resolved || resolved->level != 0) throw_too_complex();
    const auto [found, is_new] = columns.try_emplace({resolved->qualifier, resolved->column->name},
                                                     numbered(columns.size() + 1));
    if (is_new) {
      targets.push_back(sql::make::target(
          arena, make_column(arena, resolved->qualifier, resolved->column->name, -1),
          found->second));
    }
    const Node* const inner = sql::make::column(arena, {kRows, found->second});
    reference = *as<PgQuery__ColumnRef>(inner);
  });
  if (targets.empty()) {
    targets.push_back(
        sql::make::target(arena, sql::make::integer_constant(arena, 1), "coppice_row"));
  }
  PgQuery__SelectStmt* const inner = inner_of(select, arena);
  read_from(select, inner, targets, kRows, arena);
  return inner;
}

// The rows of a split order: the select list and what else it is sorted by.
class OrderSplitter {
 public:
  OrderSplitter(PgQuery__SelectStmt& select, sql::Arena& arena)
      : arena_(arena), select_(select), inner_(new_inner(select, arena)) {}

  PgQuery__SelectStmt* run() {
    PgQuery__SelectStmt* const outer = select_from(arena_, inner_, kRows);
    std::vector<Node*> results;
    for (std::size_t i = 0; i < select_.n_target_list; ++i) {
      const std::string name = target_at(select_, i).name;
      results.push_back(sql::make::target(arena_, column(add(target_at(select_, i).val)), name));
    }
    sql::make::set_list(arena_, results, outer->n_target_list, outer->target_list);
    outer->n_distinct_clause = select_.n_distinct_clause;
    outer->distinct_clause = select_.distinct_clause;
    for (Node*& node : sql::nodes(outer->n_distinct_clause, outer->distinct_clause)) {
      if (sql::message_of(node)) node = key(node);
    }
    outer->n_sort_clause = select_.n_sort_clause;
    outer->sort_clause = select_.sort_clause;
    for (Node* const item : sql::nodes(outer->n_sort_clause, outer->sort_clause)) {
      auto& sort = *as<PgQuery__SortBy>(item);
      sort.node = key(sort.node);
    }
    outer->limit_count = select_.limit_count;
    outer->limit_offset = select_.limit_offset;
    outer->limit_option = select_.limit_option;
    outer->with_clause = select_.with_clause;
    sql::make::set_list(arena_, targets_, inner_->n_target_list, inner_->target_list);
    select_ = *outer;
    return inner_;
  }

 private:
  static PgQuery__SelectStmt* new_inner(const PgQuery__SelectStmt& select, sql::Arena& arena) {
    PgQuery__SelectStmt* const inner = sql::make::select(arena);
    const ProtobufCMessage base = inner->base;
    *inner = select;
    inner->base = base;
    inner->n_distinct_clause = 0;
    inner->n_sort_clause = 0;
    inner->limit_count = nullptr;
    inner->limit_offset = nullptr;
    inner->limit_option = PG_QUERY__LIMIT_OPTION__LIMIT_OPTION_DEFAULT;
    inner->with_clause = nullptr;
    return inner;
  }

  std::size_t add(Node* value) {
    targets_.push_back(sql::make::target(arena_, value, numbered(targets_.size() + 1)));
    return targets_.size();
  }

  Node* column(std::size_t number) { return sql::make::column(arena_, {kRows, numbered(number)}); }

  // A collation belongs to the sorting, not to the column that is kept.
  Node* key(Node* expression) {
    if (const auto index = target_of_order(select_, expression)) return column(*index + 1);
    auto* const collate = as<PgQuery__CollateClause>(expression);
    if (!collate) return column(add(expression));
    collate->arg = key(collate->arg);
    return expression;
  }

  sql::Arena& arena_;
  PgQuery__SelectStmt& select_;
  PgQuery__SelectStmt* inner_;
  std::vector<Node*> targets_;
};

}  // namespace

PgQuery__SelectStmt& split_condition(PgQuery__SelectStmt& select, const Scope& scope,
                                     sql::Arena& arena) {
  const std::vector<ScopeRelation>& relations = scope.relations();
  const bool one_item = select.n_from_clause == 1 && relations.size() == 1 &&
                        relations.front().known && !relations.front().alias.empty();
  return one_item ? *split_one_item(select, relations.front(), arena)
                  : *split_items(select, scope, arena);
}

PgQuery__SelectStmt& split_order(PgQuery__SelectStmt& select, sql::Arena& arena) {
  return *OrderSplitter(select, arena).run();
}

}  // namespace coppice::exec
