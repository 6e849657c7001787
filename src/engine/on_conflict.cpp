#include "engine/on_conflict.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/text.h"
#include "engine/conflict_target.h"
#include "engine/statement_tools.h"
#include "engine/update.h"
#include "sql/deparse.h"
#include "sql/read.h"

namespace coppice::engine {
namespace {

using catalog::ColumnInfo;
using catalog::TableInfo;
using sql::as;

void refuse_computed(const TableInfo& table, const ConflictTarget& target,
                     const PgQuery__OnConflictClause& clause, const sql::Statement& statement) {
  for (const ColumnInfo* column : columns_of(target, table)) {
    if (!column->computed()) continue;
    throw statement.error(
        ErrorCode::kUnsupported, clause.location,
        fmt::format("ON CONFLICT cannot use the computed column \"{}\" here", column->name));
  }
}

// Its cells are computed when it is known which rows are written.
void refuse_computed_excluded(const TableInfo& table, const PgQuery__OnConflictClause& clause,
                              const sql::Statement& statement) {
  auto* root = sql::message_of(const_cast<PgQuery__OnConflictClause*>(&clause));
  sql::walk(root, [&](sql::Message& message) {
    const auto* reference = as<PgQuery__ColumnRef>(message);
    if (reference == nullptr) return sql::Visit::kInto;
    const std::vector<std::string> names = sql::column_ref_names(*reference);
    const ColumnInfo* column =
        names.size() == 2 && names[0] == "excluded" ? table.find_column(names[1]) : nullptr;
    if (column == nullptr || !column->computed()) return sql::Visit::kSkip;
    throw statement.error(ErrorCode::kUnsupported, reference->location,
                          fmt::format("excluded.{} is computed, and not known yet here",
                                      sql::quote_identifier(column->name)),
                          "write the value that it is computed from");
  });
}

// Rows in conflict with one that is there, and then, among the new rows themselves, those in
// conflict with an earlier one that is inserted: as it would be row by row.
void leave_out_taken(EngineContext& context, const Stage& stage,
                     const std::vector<ConflictTarget>& targets) {
  std::vector<std::string> with_store, earlier, before_earlier;
  for (const ConflictTarget& target : targets) {
    with_store.push_back("(" + target.conflict("t", "s") + ")");
    earlier.push_back("(" + target.conflict("f", "s") + ")");
    before_earlier.push_back("(" + target.conflict("e", "f") + ")");
  }
  if (targets.empty()) return;
  context.main.exec(
      fmt::format("UPDATE {0} s SET _action = 'x' WHERE _action = 'i' AND EXISTS "
                  "(SELECT FROM {1} t WHERE {2})",
                  stage.name(), stage.table().store_table(), join(with_store, " OR ")));
  const std::string among_them = fmt::format(
      "UPDATE {0} s SET _action = 'x' WHERE _action = 'i' AND EXISTS "
      "(SELECT FROM {0} f WHERE f._action = 'i' AND f._n < s._n AND ({1}) "
      "AND NOT EXISTS (SELECT FROM {0} e WHERE e._action = 'i' AND e._n < f._n "
      "AND ({2})))",
      stage.name(), join(earlier, " OR "), join(before_earlier, " OR "));
  while (context.main.exec(among_them).affected_rows() > 0) continue;
}

void refuse_twice(EngineContext& context, const Stage& stage, const ConflictTarget& target) {
  const pg::Result twice = context.main.exec(
      fmt::format("SELECT concat_ws(', ', {0}) FROM {1} g WHERE _action = 'i' AND {2} "
                  "GROUP BY {0} HAVING count(*) > 1 LIMIT 1",
                  target.key_list("g"), stage.name(), target.applies("g")));
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

void update_taken(EngineContext& context, const Stage& stage, const ConflictTarget& target,
                  PgQuery__OnConflictClause& clause, const std::string& alias,
                  sql::Statement& statement) {
  const TableInfo& table = stage.table();
  const std::vector<Assignment> assignments =
      read_assignments(table, alias, statement, clause.n_target_list, clause.target_list);
  const std::string name = sql::quote_identifier(alias);
  std::vector<std::string> physical, given;
  for (const ColumnInfo* column : table.visible_columns()) {
    const auto assigned = std::find_if(assignments.begin(), assignments.end(),
                                       [&](const Assignment& a) { return a.column == column; });
    physical.push_back(column->physical);
    given.push_back(assigned != assignments.end()
                        ? sql::deparse_expression(assigned->value)
                        : name + "." + sql::quote_identifier(column->name));
  }
  const std::string where = clause.where_clause == nullptr
                                ? ""
                                : " WHERE (" + sql::deparse_expression(clause.where_clause) + ")";
  // One statement, so that both parts see the same rows of others.
  context.main.exec(fmt::format(
      "WITH _pair AS MATERIALIZED (SELECT s._n AS _pair_n, t._row AS _pair_row FROM {0} s "
      "JOIN {1} t ON {2} WHERE s._action = 'i'), _update AS (INSERT INTO {0} (_row, _old, _action, "
      "_source, {3}) SELECT {4}._row, {4}._from, 'u', _pair_n, {5} FROM _pair "
      "JOIN {6} AS {4} ON {4}._row = _pair_row "
      "JOIN (SELECT {7}, _n AS _excluded_n FROM {0}) AS excluded ON _excluded_n = _pair_n{8}) "
      "UPDATE {0} s SET _action = 'x' FROM _pair WHERE s._n = _pair_n",
      stage.name(), table.store_table(), target.conflict("t", "s"), join(physical, ", "), name,
      join(given, ", "), table.working_view(), user_columns(table), where));
}

}  // namespace

void resolve_conflicts(EngineContext& context, Stage& stage, PgQuery__OnConflictClause& clause,
                       const std::string& alias, sql::Statement& statement) {
  const std::vector<ConflictTarget> targets =
      conflict_targets(context, stage.table(), clause, statement);
  for (const ConflictTarget& target : targets) {
    refuse_computed(stage.table(), target, clause, statement);
  }
  if (clause.action == PG_QUERY__ON_CONFLICT_ACTION__ONCONFLICT_NOTHING) {
    return leave_out_taken(context, stage, targets);
  }
  refuse_computed_excluded(stage.table(), clause, statement);
  refuse_twice(context, stage, targets.front());
  update_taken(context, stage, targets.front(), clause, alias, statement);
}

}  // namespace coppice::engine
