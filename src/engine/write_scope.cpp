#include "engine/write_scope.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/text.h"
#include "exec/column_names.h"
#include "exec/kinds.h"
#include "sql/make.h"
#include "sql/read.h"

namespace coppice::engine {
namespace {

using catalog::ColumnInfo;
using catalog::TableInfo;
using sql::as;
using sql::Node;
using sql::Visit;

constexpr std::string_view kExcluded = "excluded";

bool is_store_column(std::string_view name) {
  return name == "_row" || name == "_from" || name == "_to";
}

bool is_star(const std::vector<std::string>& names) { return names.back() == "*"; }

Node* column_of(sql::Arena& arena, const std::string& relation, const std::string& column) {
  return relation.empty() ? sql::make::column(arena, {column})
                          : sql::make::column(arena, {relation, column});
}

}  // namespace

WriteScope::WriteScope(EngineContext& context, const TableInfo& table, std::string alias,
                       sql::Statement& statement)
    : context_(context),
      table_(table),
      alias_(std::move(alias)),
      statement_(statement),
      catalog_kinds_(context),
      relations_(catalog_kinds_, context.main) {
  scope_.add(exec::item_of_relation({"", alias_, true, column_kinds(table)}));
}

void WriteScope::add_from(PgQuery__WithClause* with, std::size_t count, Node** items) {
  if (count == 0) return;
  PgQuery__SelectStmt* shell = sql::make::select(statement_.arena());
  shell->with_clause = with;
  shell->n_from_clause = count;
  shell->from_clause = items;
  const exec::Scope beside = exec::scope_of(*shell, nullptr, {context_.functions, relations_});
  scope_.add({beside.relations(), beside.visible()});
  has_from_ = true;
}

void WriteScope::add_excluded() {
  exec::ScopeItem item =
      exec::item_of_relation({"", std::string(kExcluded), true, column_kinds(table_)});
  item.visible.clear();  // a bare name means the row that is there
  scope_.add(std::move(item));
}

void WriteScope::each_reference(Node*& root, const exec::Scope& scope, const Change& change) {
  sql::rewrite_top_down(root, [&](Node*& slot) {
    if (auto* select = as<PgQuery__SelectStmt>(slot)) {
      each_reference(*select, scope, change);
      return Visit::kSkip;
    }
    if (auto* row = as<PgQuery__RowExpr>(slot)) {
      std::vector<Node*> arguments;
      for (Node* argument : sql::nodes(row->n_args, row->args)) {
        const auto* reference = as<PgQuery__ColumnRef>(argument);
        const std::vector<std::string> names =
            reference != nullptr ? sql::column_ref_names(*reference) : std::vector<std::string>();
        if (names.size() == 2 && is_star(names) && is_of_statement(*reference, scope) &&
            is_hidden_row(names[0])) {
          for (const ColumnInfo* column : table_.visible_columns()) {
            arguments.push_back(column_of(statement_.arena(), names[0], column->name));
          }
        } else {
          arguments.push_back(argument);
        }
      }
      sql::make::set_list(statement_.arena(), arguments, row->n_args, row->args);
    }
    if (as<PgQuery__ColumnRef>(slot) == nullptr) return Visit::kInto;
    change(slot, scope);
    return Visit::kSkip;
  });
}

void WriteScope::each_reference(PgQuery__SelectStmt& select, const exec::Scope& outer,
                                const Change& change) {
  const exec::Scope scope = exec::scope_of(select, &outer, {context_.functions, relations_});
  const auto each = [&](std::size_t count, Node** items) {
    for (Node*& item : sql::nodes(count, items)) each_reference(item, scope, change);
  };
  if (select.with_clause != nullptr) each(select.with_clause->n_ctes, select.with_clause->ctes);
  if (select.larg != nullptr) {
    each_reference(*select.larg, scope, change);
    each_reference(*select.rarg, scope, change);
    return;
  }
  std::vector<Node*> targets;
  for (Node* item : sql::nodes(select.n_target_list, select.target_list)) {
    const auto* target = as<PgQuery__ResTarget>(item);
    const auto* star = target != nullptr ? as<PgQuery__ColumnRef>(target->val) : nullptr;
    const std::vector<std::string> names =
        star != nullptr ? sql::column_ref_names(*star) : std::vector<std::string>();
    if (names.size() == 2 && is_star(names) && is_of_statement(*star, scope)) {
      expand_star(*star, targets);
    } else {
      targets.push_back(item);
    }
  }
  sql::make::set_list(statement_.arena(), targets, select.n_target_list, select.target_list);
  each(select.n_distinct_clause, select.distinct_clause);
  each(select.n_target_list, select.target_list);
  each(select.n_from_clause, select.from_clause);
  each(select.n_group_clause, select.group_clause);
  each(select.n_window_clause, select.window_clause);
  each(select.n_values_lists, select.values_lists);
  each(select.n_sort_clause, select.sort_clause);
  for (Node** item :
       {&select.where_clause, &select.having_clause, &select.limit_count, &select.limit_offset}) {
    if (*item != nullptr) each_reference(*item, scope, change);
  }
}

bool WriteScope::is_of_statement(const PgQuery__ColumnRef& reference,
                                 const exec::Scope& scope) const {
  const std::vector<std::string> names = sql::column_ref_names(reference);
  const std::string& first = names.size() > 1 ? names[names.size() - 2] : names[0];
  for (const exec::Scope* at = &scope; at != nullptr; at = at->outer()) {
    const bool is_relation = at->find_relation(first) != nullptr;
    const bool is_column =
        names.size() == 1 &&
        std::any_of(at->visible().begin(), at->visible().end(),
                    [&](const auto& visible) { return visible.column.name == names[0]; });
    if (is_relation || is_column) return at == &scope_;
  }
  return false;
}

bool WriteScope::is_hidden_row(const std::string& relation) const {
  return relation == alias_ ||
         (relation == kExcluded && scope_.find_relation(kExcluded) != nullptr);
}

Node* WriteScope::user_row(const std::string& relation) const {
  sql::Arena& arena = statement_.arena();
  std::string text;
  for (const ColumnInfo* column : table_.visible_columns()) {
    text += fmt::format("{}{}.{}", text.empty() ? "" : ", ", sql::quote_identifier(relation),
                        sql::quote_identifier(column->name));
  }
  sql::Statement row = sql::parse_expression(fmt::format("ROW({})::{}", text, table_.user_name()));
  sql::change_locations(sql::message_of(row.node()), [](std::int32_t) { return -1; });
  return sql::clone(arena, row.node());
}

void WriteScope::hide(Node*& slot, const exec::Scope& scope) {
  const auto& reference = *as<PgQuery__ColumnRef>(slot);
  const std::vector<std::string> names = sql::column_ref_names(reference);
  const std::string relation = names.size() > 1 ? names[names.size() - 2] : "";
  const bool of_target = relation.empty()
                             ? !scope.resolve(reference)
                             : is_hidden_row(relation) && is_of_statement(reference, scope);
  if (is_store_column(names.back()) && of_target) {
    throw statement_.error(
        ErrorCode::kNotFound, reference.location,
        fmt::format("column {} does not exist",
                    relation.empty() ? "\"" + names.back() + "\"" : relation + "." + names.back()));
  }
  if (is_star(names)) {
    if (names.size() == 2 && is_hidden_row(relation) && is_of_statement(reference, scope)) {
      slot = user_row(relation);
    }
    return;
  }
  const bool whole_row = names.size() == 1 && is_hidden_row(names[0]);
  if (!whole_row || !is_of_statement(reference, scope) || scope.resolve(reference)) return;
  slot = user_row(names[0]);
}

void WriteScope::hide_store_columns(Node*& expression) {
  if (expression == nullptr) return;
  each_reference(expression, scope_,
                 [&](Node*& slot, const exec::Scope& scope) { hide(slot, scope); });
}

void WriteScope::hide_store_columns(std::size_t count, Node** items) {
  for (Node*& item : sql::nodes(count, items)) hide_store_columns(item);
}

// What `*` or `film.*` of the statement's own tables gives.
void WriteScope::expand_star(const PgQuery__ColumnRef& star, std::vector<Node*>& targets) const {
  sql::Arena& arena = statement_.arena();
  const std::vector<std::string> names = sql::column_ref_names(star);
  const auto add = [&](const std::string& relation, const std::string& column) {
    targets.push_back(sql::make::target(arena, column_of(arena, relation, column), column));
  };
  if (names.size() > 1) {
    const exec::ScopeRelation* relation = scope_.find_relation(names[names.size() - 2]);
    if (relation == nullptr) {
      throw statement_.error(
          ErrorCode::kNotFound, star.location,
          fmt::format("missing FROM-clause entry for table \"{}\"", names[names.size() - 2]));
    }
    if (!relation->known) {
      throw statement_.error(ErrorCode::kUnsupported, star.location,
                             "the columns that * stands for are not known here",
                             "write out the columns");
    }
    for (const exec::ColumnKind& column : relation->columns) add(relation->alias, column.name);
    return;
  }
  if (!scope_.is_known()) {
    throw statement_.error(ErrorCode::kUnsupported, star.location,
                           "the columns that * stands for are not known here",
                           "write out the columns");
  }
  for (const exec::VisibleColumn& visible : scope_.visible()) {
    add(visible.qualifier, visible.column.name);
  }
}

// A reference in RETURNING to one of the statement's own tables.
void WriteScope::qualify(Node*& slot, const exec::Scope& scope, const TakeAlong& take_along) {
  const auto& reference = *as<PgQuery__ColumnRef>(slot);
  if (!is_of_statement(reference, scope)) return;
  const std::vector<std::string> names = sql::column_ref_names(reference);
  if (const auto resolved = scope_.resolve(reference)) {
    if (resolved->qualifier == alias_) {
      slot = sql::make::column(statement_.arena(), {alias_, resolved->column->name});
    } else {
      slot = take_along(slot);
    }
    return;
  }
  const std::string& relation = names.size() > 1 ? names[names.size() - 2] : names[0];
  if (relation != alias_) slot = take_along(slot);
}

void WriteScope::write_out_returning(std::size_t& count, Node**& items,
                                     const TakeAlong& take_along) {
  std::vector<Node*> targets;
  for (Node* item : sql::nodes(count, items)) {
    auto& target = *as<PgQuery__ResTarget>(item);
    const auto* star = as<PgQuery__ColumnRef>(target.val);
    if (star != nullptr && is_star(sql::column_ref_names(*star))) {
      expand_star(*star, targets);
      continue;
    }
    if (target.name == nullptr || *target.name == '\0') {
      target.name = statement_.arena().copy(exec::default_column_name(target.val));
    }
    targets.push_back(item);
  }
  sql::make::set_list(statement_.arena(), targets, count, items);
  hide_store_columns(count, items);
  if (!has_from_) return;
  for (Node*& item : sql::nodes(count, items)) {
    each_reference(item, scope_, [&](Node*& slot, const exec::Scope& scope) {
      qualify(slot, scope, take_along);
    });
  }
}

}  // namespace coppice::engine
