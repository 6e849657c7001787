#include "exec/scope.h"

#include <algorithm>
#include <utility>

#include "exec/syntax.h"

namespace coppice::exec {
namespace {

const ColumnKind* find_column(const ColumnKinds& columns, std::string_view name) {
  const auto found = std::find_if(columns.begin(), columns.end(),
                                  [&](const ColumnKind& column) { return column.name == name; });
  return found == columns.end() ? nullptr : &*found;
}

const VisibleColumn* find_visible(const ScopeItem& item, std::string_view name) {
  const auto found =
      std::find_if(item.visible.begin(), item.visible.end(),
                   [&](const VisibleColumn& visible) { return visible.column.name == name; });
  return found == item.visible.end() ? nullptr : &*found;
}

bool contains(const std::vector<std::string>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// A merged column is what either side has; it has a kind when both agree.
VisibleColumn merge(const ScopeItem& left, const ScopeItem& right, const std::string& name) {
  VisibleColumn merged{{name, std::nullopt, false}, ""};
  const VisibleColumn* const a = find_visible(left, name);
  const VisibleColumn* const b = find_visible(right, name);
  if (!a || !b) return merged;
  if (a->column.kind == b->column.kind) merged.column.kind = a->column.kind;
  merged.column.key = a->column.key || b->column.key;
  return merged;
}

}  // namespace

Scope Scope::of_table(std::string_view alias, ColumnKinds columns) {
  Scope scope;
  scope.add(item_of_relation({"", std::string(alias), true, std::move(columns)}));
  return scope;
}

void Scope::add(ScopeItem item) {
  std::move(item.relations.begin(), item.relations.end(), std::back_inserter(item_.relations));
  std::move(item.visible.begin(), item.visible.end(), std::back_inserter(item_.visible));
}

void Scope::add_cte(std::string name, std::optional<ColumnKinds> columns) {
  ctes_[std::move(name)] = std::move(columns);
}

std::optional<ResolvedColumn> Scope::resolve(const PgQuery__ColumnRef& reference) const {
  const std::vector<std::string> names = sql::names_in(reference.n_fields, reference.fields);
  int level = 0;
  for (const Scope* scope = this; scope; scope = scope->outer_, ++level) {
    if (auto found = scope->resolve_here(names)) {
      found->level = level;
      return found;
    }
    if (scope->hides(names)) return std::nullopt;
  }
  return std::nullopt;
}

std::optional<ResolvedColumn> Scope::resolve_here(const std::vector<std::string>& names) const {
  if (names.size() == 1) {
    const auto matches = [&](const VisibleColumn& visible) {
      return visible.column.name == names[0];
    };
    if (std::count_if(item_.visible.begin(), item_.visible.end(), matches) != 1) return {};
    const auto found = std::find_if(item_.visible.begin(), item_.visible.end(), matches);
    return ResolvedColumn{&found->column, 0, found->qualifier};
  }
  if (names.size() != 2 && names.size() != 3) return {};
  const ScopeRelation* const relation = find_relation(names[names.size() - 2]);
  if (!relation || (names.size() == 3 && relation->schema != names[0])) return {};
  const ColumnKind* const column = find_column(relation->columns, names.back());
  if (!column) return {};
  return ResolvedColumn{column, 0, relation->alias};
}

// Whether a name that was not resolved here still means something here: a column of a relation of
// unknown columns, or one that is ambiguous. Then outer scopes must not answer.
bool Scope::hides(const std::vector<std::string>& names) const {
  if (names.size() >= 2) return find_relation(names[names.size() - 2]) != nullptr;
  return !is_known() || find_visible(item_, names[0]) != nullptr;
}

const std::optional<ColumnKinds>* Scope::find_cte(std::string_view name) const {
  for (const Scope* scope = this; scope; scope = scope->outer_) {
    if (const auto found = scope->ctes_.find(name); found != scope->ctes_.end()) {
      return &found->second;
    }
  }
  return nullptr;
}

const ScopeRelation* Scope::find_relation(std::string_view alias) const {
  const auto found =
      std::find_if(item_.relations.begin(), item_.relations.end(),
                   [&](const ScopeRelation& relation) { return relation.alias == alias; });
  return found == item_.relations.end() ? nullptr : &*found;
}

bool Scope::is_known() const {
  return std::all_of(item_.relations.begin(), item_.relations.end(),
                     [](const ScopeRelation& relation) { return relation.known; });
}

ScopeItem join_items(ScopeItem left, ScopeItem right, const std::vector<std::string>& merged,
                     const std::string& alias) {
  ScopeItem joined;
  for (const std::string& name : merged) joined.visible.push_back(merge(left, right, name));
  for (ScopeItem* const side : {&left, &right}) {
    for (VisibleColumn& visible : side->visible) {
      if (!contains(merged, visible.column.name)) joined.visible.push_back(visible);
    }
    std::move(side->relations.begin(), side->relations.end(), std::back_inserter(joined.relations));
  }
  if (alias.empty()) return joined;
  const bool known = std::all_of(joined.relations.begin(), joined.relations.end(),
                                 [](const ScopeRelation& relation) { return relation.known; });
  ScopeRelation relation{"", alias, known, {}};
  for (const VisibleColumn& visible : joined.visible) relation.columns.push_back(visible.column);
  return item_of_relation(std::move(relation));
}

std::vector<std::string> common_names(const ScopeItem& left, const ScopeItem& right) {
  std::vector<std::string> names;
  for (const VisibleColumn& visible : left.visible) {
    if (find_visible(right, visible.column.name)) names.push_back(visible.column.name);
  }
  return names;
}

void rename_columns(ColumnKinds& columns, const std::vector<std::string>& names) {
  for (std::size_t i = 0; i < names.size() && i < columns.size(); ++i) columns[i].name = names[i];
}

ScopeItem item_of_relation(ScopeRelation relation) {
  ScopeItem item;
  for (const ColumnKind& column : relation.columns) {
    item.visible.push_back({column, relation.alias});
  }
  item.relations.push_back(std::move(relation));
  return item;
}

}  // namespace coppice::exec
