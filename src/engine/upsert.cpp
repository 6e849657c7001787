#include "engine/upsert.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/text.h"
#include "catalog/store_ddl.h"
#include "engine/emit.h"
#include "engine/insert.h"
#include "engine/statement_tools.h"
#include "engine/update.h"
#include "engine/write_scope.h"
#include "exec/select.h"
#include "sql/deparse.h"
#include "sql/make.h"
#include "sql/read.h"
#include "sql/references.h"

namespace coppice::engine {
namespace {

using catalog::ColumnInfo;
using catalog::TableInfo;
using sql::as;

constexpr std::string_view kGiven = "pg_temp.coppice_given";
constexpr int kMostRounds = 100;  // of other writers inserting and deleting the same keys

std::string compute_list(const std::vector<const ColumnInfo*>& columns) {
  std::string list = ",";
  for (const ColumnInfo* column : columns) list += column->physical + ",";
  return list == "," ? ",none," : list;
}

// Whether the clause reads a computed column of `excluded`.
bool reads_computed(const TableInfo& table, PgQuery__OnConflictClause& clause) {
  bool found = false;
  sql::walk(sql::message_of(&clause), [&](sql::Message& message) {
    const auto* reference = as<PgQuery__ColumnRef>(message);
    if (reference == nullptr) return sql::Visit::kInto;
    const std::vector<std::string> names = sql::column_ref_names(*reference);
    if (names.size() == 2 && names[0] == "excluded") {
      const ColumnInfo* column = table.find_column(names[1]);
      found = found || (column != nullptr && column->computed());
    }
    return sql::Visit::kSkip;
  });
  return found;
}

// Whether one must be computed to know if a row may be inserted, or which one it conflicts with.
bool is_over_computed(const TableInfo& table, const ConflictTarget& target) {
  const auto is_computed = [](const ColumnInfo* column) { return column->computed(); };
  const auto keys = columns_of(target, table);
  if (std::any_of(keys.begin(), keys.end(), is_computed)) return true;
  for (const ColumnInfo& column : table.columns) {
    if (column.computed() && column.not_null) return true;
  }
  return std::any_of(
      table.constraints.begin(), table.constraints.end(), [&](const auto& constraint) {
        return constraint.kind == catalog::ConstraintKind::kCheck &&
               std::any_of(constraint.columns.begin(), constraint.columns.end(),
                           [&](std::int64_t id) { return table.column_by_id(id)->computed(); });
      });
}

}  // namespace

bool is_upsert(const PgQuery__InsertStmt& insert) {
  return insert.on_conflict_clause != nullptr &&
         insert.on_conflict_clause->action == PG_QUERY__ON_CONFLICT_ACTION__ONCONFLICT_UPDATE;
}

void DirectUpsert::plan(EngineContext& context, const TableInfo& table) {
  sql::Statement statement = sql::parse_statement(text_);
  exec::substitute_parameters(statement.root(), bind_parameters(statement, parameters_),
                              statement.arena());
  resolve_versions(context, statement);
  qualify_media_types(sql::message_of(statement.node()), statement.arena());
  auto& insert = *as<PgQuery__InsertStmt>(statement.node());
  alias_ = sql::relation_alias(*insert.relation);
  plan_source(context, table, statement);

  WriteScope scope(context, table, alias_, statement);
  scope.write_out_returning(insert.n_returning_list, insert.returning_list,
                            [](sql::Node* expression) { return expression; });
  PgQuery__OnConflictClause& clause = *insert.on_conflict_clause;
  scope.add_excluded();
  scope.hide_store_columns(clause.n_target_list, clause.target_list);
  scope.hide_store_columns(clause.where_clause);

  const ConflictTarget target = conflict_targets(context, table, clause, statement).front();
  plan_given(table, reads_computed(table, clause) || is_over_computed(table, target));
  plan_conflicts(table, target);
  plan_update(table, statement);
  plan_returning(table, statement);
  returned_.reset();
}

// As in PostgreSQL a row must fit the table's constraints even when another one takes its place.
void DirectUpsert::plan_given(const TableInfo& table, bool compute) {
  computes_excluded_ = compute;
  make_ = {
      fmt::format("CREATE TEMP TABLE coppice_given (LIKE {} INCLUDING DEFAULTS "
                  "INCLUDING CONSTRAINTS, _n bigint GENERATED ALWAYS AS IDENTITY, "
                  "_old bigint, _done boolean NOT NULL DEFAULT false) ON COMMIT DROP",
                  table.store_table())};
  if (!compute) return;
  make_.push_back(
      fmt::format("CREATE TRIGGER compute BEFORE INSERT ON {} FOR EACH ROW "
                  "EXECUTE FUNCTION {}_compute()",
                  kGiven, table.store_table()));
}

void DirectUpsert::plan_conflicts(const TableInfo& table, const ConflictTarget& target) {
  twice_ = fmt::format(
      "SELECT concat_ws(', ', {0}) FROM {1} g WHERE {2} GROUP BY {0} HAVING count(*) > 1 LIMIT 1",
      target.key_list("g"), kGiven, target.applies("g"));
  // In the order of keys, so that two writers of the same rows do not wait for each other.
  lock_ = fmt::format(
      "UPDATE {0} g SET _row = t._row, _old = t._from, _done = true FROM "
      "(SELECT t.* FROM {1} t WHERE EXISTS (SELECT FROM {0} g WHERE NOT g._done AND {2}) "
      "ORDER BY {3} FOR UPDATE) t WHERE NOT g._done AND {2}",
      kGiven, table.store_table(), target.conflict("t", "g"), target.key_list("t"));
  std::string columns = "_row";
  for (const ColumnInfo& column : table.columns) {
    if (!column.computed()) columns += ", " + column.physical;
  }
  insert_ = fmt::format(
      "WITH _inserted AS (INSERT INTO {0} ({1}) SELECT {1} FROM {2} WHERE NOT _done ORDER BY _n "
      "ON CONFLICT {3} DO NOTHING RETURNING _row), _marked AS "
      "(UPDATE {2} g SET _done = true FROM _inserted i WHERE g._row = i._row) "
      "SELECT count(*) FROM _inserted",
      table.store_table(), columns, kGiven, target.inference());
  waiting_ = fmt::format("SELECT EXISTS (SELECT FROM {} WHERE NOT _done)", kGiven);
}

void DirectUpsert::plan_returning(const TableInfo& table, sql::Statement& statement) {
  const auto& insert = *as<PgQuery__InsertStmt>(statement.node());
  std::vector<std::string> items;
  for (sql::Node* node : sql::nodes(insert.n_returning_list, insert.returning_list)) {
    const auto* item = as<PgQuery__ResTarget>(node);
    items.push_back(sql::deparse_expression(item->val) + " AS " +
                    sql::quote_identifier(item->name));
  }
  returning_.clear();
  if (items.empty()) return;
  returning_ = fmt::format(
      "SELECT {0} FROM {1} AS {2} JOIN (SELECT _row AS _given_row, _n AS _given_n FROM {3}) "
      "AS _given ON {2}._row = _given_row WHERE {2}._from = current_setting('coppice.op')::bigint "
      "ORDER BY _given_n",
      join(items, ", "), table.working_view(), sql::quote_identifier(alias_), kGiven);
}

// The rows as INSERT gives them, into the temporary table.
void DirectUpsert::plan_source(EngineContext& context, const TableInfo& table,
                               sql::Statement& statement) {
  auto& insert = *as<PgQuery__InsertStmt>(statement.node());
  std::vector<std::string> physical;
  for (const ColumnInfo* column : prepare_insert_columns(context, table, statement)) {
    physical.push_back(column->physical);
  }
  if (insert.select_stmt == nullptr || physical.empty()) {
    load_ = fmt::format("INSERT INTO {} DEFAULT VALUES", kGiven);
  } else {
    load_ = fmt::format("INSERT INTO {} ({}) {}", kGiven, join(physical, ", "),
                        sql::deparse(insert.select_stmt));
  }
}

void DirectUpsert::plan_update(const TableInfo& table, sql::Statement& statement) {
  auto& clause = *as<PgQuery__InsertStmt>(statement.node())->on_conflict_clause;
  const std::vector<Assignment> assignments =
      read_assignments(table, alias_, statement, clause.n_target_list, clause.target_list);
  std::set<std::string> changed;
  for (const Assignment& assignment : assignments) changed.insert(assignment.column->name);
  std::vector<const ColumnInfo*> affected = affected_columns(table, changed);
  for (const ColumnInfo& column : table.columns) {
    const bool known = std::count(affected.begin(), affected.end(), &column) > 0;
    if (column.filling && !known) affected.push_back(&column);
  }
  compute_ = compute_list(affected);

  const std::string name = sql::quote_identifier(alias_);
  std::vector<std::string> columns = {"_row", "_to"}, excluded;
  std::vector<std::string> given = {
      name + "._row",
      fmt::format("{} AS _to", catalog::marked_to(table, catalog::RowMark::kCopied))};
  for (const ColumnInfo* column : table.visible_columns()) {
    const std::string quoted = sql::quote_identifier(column->name);
    excluded.push_back(column->physical + " AS " + quoted);
    if (std::count(affected.begin(), affected.end(), column) > 0) continue;
    const auto assigned = std::find_if(assignments.begin(), assignments.end(),
                                       [&](const Assignment& a) { return a.column == column; });
    columns.push_back(quoted);
    given.push_back((assigned != assignments.end() ? sql::deparse_expression(assigned->value)
                                                   : name + "." + quoted) +
                    " AS " + quoted);
  }
  const std::string where = clause.where_clause == nullptr
                                ? ""
                                : " AND (" + sql::deparse_expression(clause.where_clause) + ")";
  update_ = fmt::format(
      "WITH _moved AS (UPDATE {0} AS {1} SET _to = current_setting('coppice.op')::bigint "
      "FROM (SELECT {2}, _row, _old FROM {3}) AS excluded WHERE {1}._row = excluded._row "
      "AND {1}._from = excluded._old{4} RETURNING {5}) "
      "INSERT INTO {0} ({6}) SELECT {6} FROM _moved ORDER BY _row",
      table.working_view(), name, join(excluded, ", "), kGiven, where, join(given, ", "),
      join(columns, ", "));
}

pg::Result DirectUpsert::run(EngineContext& context, const std::string& sql) {
  planned_ = sql;
  return context.main.exec_params(sql, {});
}

void DirectUpsert::load(EngineContext& context, const catalog::Operation& operation) {
  for (const std::string& ddl : make_) run(context, ddl);
  run(context, load_);
  if (!computes_excluded_) return;
  // Whether a row that only stands for `excluded` has a cell that failed is nobody's business.
  context.main.exec_cached("DELETE FROM coppice.cell_errors WHERE table_id = $1 AND op_id = $2",
                           {std::to_string(operation.table_id), std::to_string(operation.op_id)});
}

void DirectUpsert::refuse_twice(EngineContext& context) {
  const pg::Result twice = run(context, twice_);
  if (twice.rows() == 0) return;
  throw Error(ErrorCode::kConstraint,
              fmt::format("ON CONFLICT DO UPDATE command cannot affect row a second time: key ({})",
                          twice.text(0, 0)),
              "the rows to insert must have different keys");
}

void DirectUpsert::write(EngineContext& context, const catalog::Operation& operation,
                         const std::vector<std::int64_t>&, catalog::RowCounts& counts) {
  context.main.exec_cached("SELECT set_config('coppice.compute', $1, true)", {compute_});
  load(context, operation);
  refuse_twice(context);
  for (int round = 1;; ++round) {
    run(context, lock_);
    counts.updated += static_cast<std::int64_t>(run(context, update_).affected_rows());
    counts.inserted += run(context, insert_).integer(0, 0);
    if (!run(context, waiting_).boolean(0, 0)) break;
    context.check_stop();
    if (round < kMostRounds) continue;
    throw Error(ErrorCode::kConflict, "other writers insert and delete the same keys all the time",
                "run the statement again");
  }
  if (!returning_.empty()) returned_ = run(context, returning_);
}

void DirectUpsert::emit(EngineContext& context, ResultSink& sink) {
  if (returned_) emit_result(context, *returned_, sink);
}

}  // namespace coppice::engine
