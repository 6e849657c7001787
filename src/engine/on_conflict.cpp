#include "engine/on_conflict.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/text.h"
#include "engine/statement_tools.h"
#include "engine/update.h"
#include "sql/deparse.h"
#include "sql/read.h"

namespace coppice::engine {
namespace {

using catalog::ColumnInfo;
using catalog::ConstraintInfo;
using catalog::TableInfo;
using sql::as;

using Key = std::vector<const ColumnInfo*>;

Key key_of(const TableInfo& table, const ConstraintInfo& constraint) {
  Key key;
  for (const std::int64_t id : constraint.columns) key.push_back(table.column_by_id(id));
  return key;
}

// The keys that the clause is about: one, or all when it names none (DO NOTHING only).
std::vector<Key> conflict_keys(const TableInfo& table, const PgQuery__OnConflictClause& clause,
                               const sql::Statement& statement) {
  std::vector<Key> keys;
  std::vector<const ColumnInfo*> wanted;
  std::string constraint_name;
  if (clause.infer != nullptr) {
    if (clause.infer->conname != nullptr) constraint_name = clause.infer->conname;
    for (sql::Node* node : sql::nodes(clause.infer->n_index_elems, clause.infer->index_elems)) {
      const auto& element = *as<PgQuery__IndexElem>(node);
      if (element.expr != nullptr) {
        throw statement.error(ErrorCode::kUnsupported, clause.location,
                              "ON CONFLICT takes columns here, not expressions");
      }
      wanted.push_back(&column_named(table, element.name, statement, clause.location));
    }
  }
  for (const ConstraintInfo& constraint : table.constraints) {
    if (constraint.kind == catalog::ConstraintKind::kCheck) continue;
    const Key key = key_of(table, constraint);
    const bool all = wanted.empty() && constraint_name.empty();
    const bool by_name = !constraint_name.empty() && constraint.name == constraint_name;
    const bool by_columns = !wanted.empty() && std::is_permutation(key.begin(), key.end(),
                                                                   wanted.begin(), wanted.end());
    if (all || by_name || by_columns) keys.push_back(key);
  }
  if (keys.empty() && (!wanted.empty() || !constraint_name.empty())) {
    throw statement.error(
        ErrorCode::kNotFound, clause.location,
        "there is no unique or primary key matching the ON CONFLICT specification");
  }
  for (const Key& key : keys) {
    for (const ColumnInfo* column : key) {
      if (!column->computed()) continue;
      throw statement.error(
          ErrorCode::kUnsupported, clause.location,
          fmt::format("ON CONFLICT cannot use the computed column \"{}\"", column->name));
    }
  }
  return keys;
}

std::string equal_keys(const Key& key, std::string_view left, std::string_view right) {
  std::vector<std::string> terms;
  for (const ColumnInfo* column : key) {
    terms.push_back(fmt::format("{}.{} = {}.{}", left, column->physical, right, column->physical));
  }
  return join(terms, " AND ");
}

void leave_out_taken(EngineContext& context, const Stage& stage, const Key& key) {
  // Among the new rows themselves the first one wins, as it would row by row.
  context.main.exec(fmt::format(
      "UPDATE {0} s SET _action = 'x' WHERE _action = 'i' AND (EXISTS (SELECT 1 FROM {1} t "
      "WHERE t._to = {2} AND {3}) OR EXISTS (SELECT 1 FROM {0} f WHERE f._action = 'i' "
      "AND f._n < s._n AND {4}))",
      stage.name(), stage.table().store_table(), catalog::kCurrentText, equal_keys(key, "t", "s"),
      equal_keys(key, "f", "s")));
}

void refuse_twice(EngineContext& context, const Stage& stage, const Key& key) {
  std::vector<std::string> columns;
  for (const ColumnInfo* column : key) columns.push_back(column->physical);
  const pg::Result twice = context.main.exec(
      fmt::format("SELECT concat_ws(', ', {0}) FROM {1} WHERE _action = 'i' "
                  "AND num_nulls({0}) = 0 GROUP BY {0} HAVING count(*) > 1 LIMIT 1",
                  join(columns, ", "), stage.name()));
  if (twice.rows() == 0) return;
  throw Error(ErrorCode::kConstraint,
              fmt::format("ON CONFLICT DO UPDATE command cannot affect row a second time: key ({})",
                          twice.text(0, 0)),
              "the rows to insert must have different keys");
}

// A select list of the user's columns over physical ones.
std::string user_columns(const TableInfo& table) {
  std::vector<std::string> items;
  for (const ColumnInfo* column : table.visible_columns()) {
    items.push_back(column->physical + " AS " + sql::quote_identifier(column->name));
  }
  return join(items, ", ");
}

void update_taken(EngineContext& context, const Stage& stage, const Key& key,
                  PgQuery__OnConflictClause& clause, const std::string& alias,
                  sql::Statement& statement, const std::vector<pg::Parameter>& values) {
  const TableInfo& table = stage.table();
  const std::vector<Assignment> assignments =
      read_assignments(table, statement, clause.n_target_list, clause.target_list);
  const std::string name = sql::quote_identifier(alias);
  std::vector<std::string> physical, given, equal;
  for (const ColumnInfo* column : table.visible_columns()) {
    const auto assigned = std::find_if(assignments.begin(), assignments.end(),
                                       [&](const Assignment& a) { return a.column == column; });
    physical.push_back(column->physical);
    given.push_back(assigned != assignments.end()
                        ? sql::deparse_expression(assigned->value)
                        : name + "." + sql::quote_identifier(column->name));
  }
  for (const ColumnInfo* column : key) {
    equal.push_back(
        fmt::format("{0}.{1} = excluded.{1}", name, sql::quote_identifier(column->name)));
  }
  const std::string where = clause.where_clause == nullptr
                                ? ""
                                : " WHERE (" + sql::deparse_expression(clause.where_clause) + ")";
  context.main.exec_params(
      fmt::format("INSERT INTO {0} (_row, _old, _action, {1}) SELECT {2}._row, {2}._from, 'u', {3} "
                  "FROM {4} AS {2} JOIN (SELECT {5}, _n FROM {0} WHERE _action = 'i') AS excluded "
                  "ON {6}{7}",
                  stage.name(), join(physical, ", "), name, join(given, ", "), table.working_view(),
                  user_columns(table), join(equal, " AND "), where),
      values);
  context.main.exec(fmt::format(
      "UPDATE {} s SET _action = 'x' WHERE _action = 'i' AND EXISTS (SELECT 1 FROM {} t "
      "WHERE t._to = {} AND {})",
      stage.name(), table.store_table(), catalog::kCurrentText, equal_keys(key, "t", "s")));
}

}  // namespace

void resolve_conflicts(EngineContext& context, Stage& stage, PgQuery__OnConflictClause& clause,
                       const std::string& alias, sql::Statement& statement,
                       const std::vector<pg::Parameter>& values) {
  const std::vector<Key> keys = conflict_keys(stage.table(), clause, statement);
  if (clause.action == PG_QUERY__ON_CONFLICT_ACTION__ONCONFLICT_NOTHING) {
    for (const Key& key : keys) leave_out_taken(context, stage, key);
    return;
  }
  refuse_twice(context, stage, keys.front());
  update_taken(context, stage, keys.front(), clause, alias, statement, values);
}

}  // namespace coppice::engine
