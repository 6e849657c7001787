// ConflictTarget: the unique index that ON CONFLICT is about, as conditions over rows of the store.
//
// Model    Which index a clause means is PostgreSQL's to say: it infers one from columns,
// expressions
//          and WHERE, and its plan names it. The index then gives its keys and its predicate, in
//          physical names.
// Errors   kNotFound when no unique index matches, at its place in the statement.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "engine/context.h"
#include "sql/parse.h"

namespace coppice::engine {

struct ConflictTarget {
  std::vector<std::string> keys;  // "c5", "lower(c6)"
  std::string predicate;          // of the index: that a row is current, and what the user said
  bool nulls_distinct = true;

  // Whether two rows of the store's columns, called `left` and `right`, cannot both be there.
  std::string conflict(std::string_view left, std::string_view right) const;
  // Whether the index holds this row at all; with all its keys.
  std::string applies(std::string_view row) const;
  std::string key_list(std::string_view row) const;  // "g.c5, lower(g.c6)"
  // "(c5, (lower(c6))) WHERE …": for ON CONFLICT over the store itself.
  std::string inference() const;
};

// One for a clause that names columns or a constraint; every unique index for one that names none.
std::vector<ConflictTarget> conflict_targets(EngineContext& context,
                                             const catalog::TableInfo& table,
                                             const PgQuery__OnConflictClause& clause,
                                             const sql::Statement& statement);

// The columns whose values tell whether a row is in conflict.
std::vector<const catalog::ColumnInfo*> columns_of(const ConflictTarget& target,
                                                   const catalog::TableInfo& table);

}  // namespace coppice::engine
