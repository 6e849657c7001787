#include "exec/described_relations.h"

#include "exec/syntax.h"
#include "sql/deparse.h"

namespace coppice::exec {

std::optional<ColumnKinds> DescribedRelations::columns_of(const sql::VersionedName& relation) {
  if (auto known = known_.columns_of(relation)) return known;
  sql::QualifiedName name = relation.table;
  if (relation.version) name.name += ":" + *relation.version;
  return describe("SELECT * FROM " + name.text());
}

std::optional<ColumnKinds> DescribedRelations::columns_of_function(
    const PgQuery__RangeFunction& function) {
  if (auto known = known_.columns_of_function(function)) return known;
  sql::Arena arena;
  PgQuery__RangeFunction* const copy = sql::clone(arena, &function);
  copy->lateral = 0;
  PgQuery__SelectStmt* const select = sql::make::select(arena);
  sql::Node* const star = sql::make::target(arena, sql::make::star(arena));
  sql::make::set_list(arena, std::span(&star, 1), select->n_target_list, select->target_list);
  sql::Node* const item = sql::make::wrap(arena, copy);
  sql::make::set_list(arena, std::span(&item, 1), select->n_from_clause, select->from_clause);
  return describe(sql::deparse(sql::make::wrap(arena, select)));
}

std::optional<ColumnKinds> DescribedRelations::describe(const std::string& query) {
  if (const auto found = described_.find(query); found != described_.end()) return found->second;
  std::optional<ColumnKinds> columns;
  try {
    columns.emplace();
    for (const pg::Column& column : connection_.describe(query).columns) {
      columns->push_back({column.name, std::nullopt});
    }
  } catch (const pg::ServerError&) {
    // No such relation, or a function of other items' columns: unknown, and the server says so of
    // the statement itself when it matters.
    columns.reset();
  }
  described_[query] = columns;
  return columns;
}

}  // namespace coppice::exec
