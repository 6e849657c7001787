// Scope: which columns a column reference can mean, and of which media kind they are.
//
// Model    A Scope is the FROM clause of one SELECT as seen from its expressions: relations with
//          their columns, what `*` and unqualified names reach (a join merges its USING columns),
//          the CTEs, and the scope of the statement around it. RelationKinds answers for the names
//          that only the catalog knows. A relation whose columns are unknown hides nothing: what
//          is not found has no kind, and PostgreSQL says later whether it exists.
// Threads  Plain values; an outer scope must outlive the scopes inside it.
// Source   PostgreSQL 15, src/backend/parser/parse_relation.c and parse_clause.c.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "catalog/model.h"
#include "sql/names.h"
#include "sql/tree.h"

namespace coppice::exec {

using catalog::MediaKind;

struct ColumnKind {
  std::string name;
  std::optional<MediaKind> kind;
  bool key = false;  // of the relation's key: names the row in messages
};
using ColumnKinds = std::vector<ColumnKind>;

// Implemented by the engine, which knows tables, views and "t:3".
class RelationKinds {
 public:
  virtual ~RelationKinds() = default;
  // nullopt: not known here (a table of PostgreSQL's own, or none at all).
  virtual std::optional<ColumnKinds> columns_of(const sql::VersionedName& relation) = 0;
  // The columns of a function in FROM whose alias does not say them.
  virtual std::optional<ColumnKinds> columns_of_function(const PgQuery__RangeFunction&) {
    return std::nullopt;
  }
};

struct ScopeRelation {
  std::string schema;  // only of a table without alias: schema.table.column reaches it
  std::string alias;
  bool known = true;
  ColumnKinds columns;
};

// A column as unqualified names and `*` see it.
struct VisibleColumn {
  ColumnKind column;
  std::string qualifier;  // the alias that reaches it; empty for a merged one
};

// The part of a FROM clause that one item makes.
struct ScopeItem {
  std::vector<ScopeRelation> relations;
  std::vector<VisibleColumn> visible;
};

struct ResolvedColumn {
  const ColumnKind* column = nullptr;
  int level = 0;  // 0: of this SELECT, 1: of the one around it, …
  std::string qualifier;
};

class Scope {
 public:
  explicit Scope(const Scope* outer = nullptr) : outer_(outer) {}
  // One table whose columns are reached by their names alone and behind `alias`.
  static Scope of_table(std::string_view alias, ColumnKinds columns);

  void add(ScopeItem item);
  void add_cte(std::string name, std::optional<ColumnKinds> columns);

  // nullopt: unknown, ambiguous, or a whole row.
  std::optional<ResolvedColumn> resolve(const PgQuery__ColumnRef& reference) const;
  // The CTE of that name that is in sight. The inner optional is empty when its columns are not
  // known.
  const std::optional<ColumnKinds>* find_cte(std::string_view name) const;

  const std::vector<ScopeRelation>& relations() const { return item_.relations; }
  const std::vector<VisibleColumn>& visible() const { return item_.visible; }
  const ScopeRelation* find_relation(std::string_view alias) const;
  // Whether every relation's columns are known, so that `*` can be written out.
  bool is_known() const;
  const Scope* outer() const { return outer_; }

 private:
  std::optional<ResolvedColumn> resolve_here(const std::vector<std::string>& names) const;
  bool hides(const std::vector<std::string>& names) const;

  const Scope* outer_;
  ScopeItem item_;
  std::map<std::string, std::optional<ColumnKinds>, std::less<>> ctes_;
};

// JOIN of two items: USING or NATURAL columns are merged and come first. With an alias the join is
// one relation and hides what is in it.
ScopeItem join_items(ScopeItem left, ScopeItem right, const std::vector<std::string>& merged,
                     const std::string& alias);
// The names that both sides see: those of a NATURAL JOIN.
std::vector<std::string> common_names(const ScopeItem& left, const ScopeItem& right);
// An alias with column names: the first columns get them.
void rename_columns(ColumnKinds& columns, const std::vector<std::string>& names);
ScopeItem item_of_relation(ScopeRelation relation);

}  // namespace coppice::exec
