#include "engine/conflict_target.h"

#include <fmt/core.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "catalog/expressions.h"
#include "sql/deparse.h"
#include "sql/make.h"
#include "sql/read.h"
#include "sql/references.h"

namespace coppice::engine {
namespace {

using catalog::ColumnInfo;
using catalog::ConstraintInfo;
using catalog::TableInfo;
using sql::as;

// An expression over the store's columns, each behind the name of a row.
std::string of_row(const std::string& expression, std::string_view row) {
  sql::Statement statement = sql::parse_expression(expression);
  for (PgQuery__ColumnRef* reference : sql::collect_column_refs(statement.node())) {
    const std::string column = sql::column_ref_names(*reference).back();
    sql::Node* const names[] = {sql::make::name(statement.arena(), row),
                                sql::make::name(statement.arena(), column)};
    sql::make::set_list(statement.arena(), names, reference->n_fields, reference->fields);
  }
  return sql::deparse_expression(statement.node());
}

ConflictTarget describe_index(EngineContext& context, const std::string& index) {
  const pg::Result found = context.main.exec_cached(
      "SELECT (SELECT json_agg(pg_get_indexdef(i.indexrelid, k, false) ORDER BY k) "
      "FROM generate_series(1, i.indnkeyatts) k), pg_get_expr(i.indpred, i.indrelid), "
      "coalesce((to_jsonb(i)->>'indnullsnotdistinct')::boolean, false) "  // since PostgreSQL 15
      "FROM pg_index i WHERE i.indexrelid = to_regclass($1)",
      {"coppice_store." + index});
  COPPICE_ASSERT(found.rows() == 1);
  ConflictTarget target;
  target.keys = nlohmann::json::parse(found.text(0, 0)).get<std::vector<std::string>>();
  target.predicate = found.text(0, 1);
  target.nulls_distinct = !found.boolean(0, 2);
  return target;
}

const ConstraintInfo* constraint_named(const TableInfo& table, std::string_view name) {
  for (const ConstraintInfo& constraint : table.constraints) {
    const bool unique = constraint.kind != catalog::ConstraintKind::kCheck;
    if (unique && constraint.name == name) return &constraint;
  }
  return nullptr;
}

// The plan of an INSERT names the index that was inferred.
std::string inferred_index(EngineContext& context, const TableInfo& table,
                           const PgQuery__OnConflictClause& clause,
                           const sql::Statement& statement) {
  sql::Statement shell = sql::parse_statement(
      fmt::format("INSERT INTO {} DEFAULT VALUES ON CONFLICT (x) WHERE _to = {} DO NOTHING",
                  table.working_view(), catalog::kCurrentText));
  sql::Arena& arena = shell.arena();
  auto& infer = *as<PgQuery__InsertStmt>(shell.node())->on_conflict_clause->infer;
  auto* wanted = sql::clone(arena, clause.infer);
  if (wanted->where_clause != nullptr) {
    sql::Node* const both[] = {wanted->where_clause, infer.where_clause};
    infer.where_clause = sql::make::and_of(arena, both);
  }
  infer.n_index_elems = wanted->n_index_elems;
  infer.index_elems = wanted->index_elems;
  try {
    const pg::Result plan =
        context.main.exec("EXPLAIN (FORMAT JSON) " + sql::deparse(shell.node()));
    const auto json = nlohmann::json::parse(plan.text(0, 0));
    return json.at(0).at("Plan").at("Conflict Arbiter Indexes").at(0).get<std::string>();
  } catch (const pg::ServerError& error) {
    throw statement.error(error.code(), clause.infer->location, error.message(), error.hint());
  }
}

}  // namespace

std::string ConflictTarget::conflict(std::string_view left, std::string_view right) const {
  std::vector<std::string> terms;
  for (const std::string& key : keys) {
    terms.push_back(fmt::format("{} {} {}", of_row(key, left),
                                nulls_distinct ? "=" : "IS NOT DISTINCT FROM", of_row(key, right)));
  }
  terms.push_back(of_row(predicate, left));
  terms.push_back(of_row(predicate, right));
  return join(terms, " AND ");
}

std::string ConflictTarget::applies(std::string_view row) const {
  std::string condition = of_row(predicate, row);
  if (nulls_distinct) condition += fmt::format(" AND num_nulls({}) = 0", key_list(row));
  return condition;
}

std::string ConflictTarget::key_list(std::string_view row) const {
  std::vector<std::string> terms;
  for (const std::string& key : keys) terms.push_back(of_row(key, row));
  return join(terms, ", ");
}

std::string ConflictTarget::inference() const {
  std::vector<std::string> terms;
  for (const std::string& key : keys) terms.push_back("(" + key + ")");
  return fmt::format("({}) WHERE {}", join(terms, ", "), predicate);
}

std::vector<ConflictTarget> conflict_targets(EngineContext& context, const TableInfo& table,
                                             const PgQuery__OnConflictClause& clause,
                                             const sql::Statement& statement) {
  std::vector<ConflictTarget> targets;
  if (clause.infer == nullptr) {
    for (const ConstraintInfo& constraint : table.constraints) {
      if (constraint.kind == catalog::ConstraintKind::kCheck) continue;
      targets.push_back(describe_index(context, constraint.store_name));
    }
    const pg::Result unique = context.main.exec_cached(
        "SELECT x.store_name FROM coppice.indexes x "
        "JOIN pg_index i ON i.indexrelid = to_regclass('coppice_store.' || x.store_name) "
        "WHERE x.table_id = $1 AND i.indisunique ORDER BY x.index_id",
        {std::to_string(table.table_id)});
    for (int row = 0; row < unique.rows(); ++row) {
      targets.push_back(describe_index(context, std::string(unique.text(row, 0))));
    }
    return targets;
  }
  const std::string_view name = clause.infer->conname != nullptr ? clause.infer->conname : "";
  if (name.empty()) {
    targets.push_back(describe_index(context, inferred_index(context, table, clause, statement)));
    return targets;
  }
  const ConstraintInfo* constraint = constraint_named(table, name);
  if (constraint == nullptr) {
    throw statement.error(
        ErrorCode::kNotFound, clause.infer->location,
        fmt::format("constraint \"{}\" for table \"{}\" does not exist", name, table.name.name));
  }
  targets.push_back(describe_index(context, constraint->store_name));
  return targets;
}

std::vector<const ColumnInfo*> columns_of(const ConflictTarget& target, const TableInfo& table) {
  std::vector<const ColumnInfo*> columns;
  std::vector<std::string> expressions = target.keys;
  expressions.push_back(target.predicate);
  for (const std::string& text : expressions) {
    sql::Statement expression = sql::parse_expression(text);
    for (const PgQuery__ColumnRef* reference : sql::collect_column_refs(expression.node())) {
      const std::string physical = sql::column_ref_names(*reference).back();
      for (const ColumnInfo& column : table.columns) {
        if (column.physical == physical) columns.push_back(&column);
      }
    }
  }
  return columns;
}

}  // namespace coppice::engine
