#include "engine/stored_index.h"

#include <map>

#include "engine/schema_model.h"
#include "sql/make.h"
#include "sql/read.h"
#include "sql/references.h"

namespace coppice::engine {
namespace {

using sql::as;

using NewNames = std::map<std::string, std::string>;

bool names_only_columns_of(const catalog::TableInfo& table, sql::Statement& statement) {
  for (const PgQuery__ColumnRef* reference : sql::collect_column_refs(statement.node())) {
    if (table.find_column(sql::column_ref_names(*reference).back()) == nullptr) return false;
  }
  bool known = true;
  sql::walk(statement.node(), [&](sql::Message& message) {
    const auto* element = as<PgQuery__IndexElem>(message);
    if (element != nullptr && element->expr == nullptr) {
      known = known && table.find_column(element->name) != nullptr;
    }
    return sql::Visit::kInto;
  });
  return known;
}

// Names of all physical columns the table ever had, as `table` calls those columns.
NewNames names_of_physical(EngineContext& context, const catalog::TableInfo& table) {
  const pg::Result rows = context.main.exec_cached(
      "SELECT DISTINCT physical, column_id FROM coppice.columns WHERE table_id = $1",
      {std::to_string(table.table_id)});
  NewNames names;
  for (int row = 0; row < rows.rows(); ++row) {
    const catalog::ColumnInfo* column = table.column_by_id(rows.integer(row, 1));
    if (column != nullptr) names.emplace(rows.text(row, 0), column->name);
  }
  return names;
}

void use_names(const NewNames& names, sql::Statement& statement) {
  sql::walk(statement.node(), [&](sql::Message& message) {
    if (auto* element = as<PgQuery__IndexElem>(message); element && element->expr == nullptr) {
      const auto found = names.find(element->name);
      if (found != names.end()) element->name = statement.arena().copy(found->second);
    }
    auto* reference = as<PgQuery__ColumnRef>(message);
    if (reference == nullptr) return sql::Visit::kInto;
    const auto found = names.find(sql::column_ref_names(*reference).back());
    if (found != names.end()) {
      reference->fields[reference->n_fields - 1] =
          sql::make::name(statement.arena(), found->second);
    }
    return sql::Visit::kSkip;
  });
}

bool is_current_rows_condition(const sql::Node* node) {
  const auto* expression = as<PgQuery__AExpr>(node);
  if (expression == nullptr || expression->lexpr == nullptr) return false;
  const auto* column = as<PgQuery__ColumnRef>(expression->lexpr);
  return column != nullptr && sql::column_ref_names(*column).back() == "_to";
}

// Every index of the store is over the current rows; that is not the user's condition.
void drop_current_rows_condition(sql::Statement& statement) {
  auto& index = *as<PgQuery__IndexStmt>(statement.node());
  if (is_current_rows_condition(index.where_clause)) {
    index.where_clause = nullptr;
    return;
  }
  auto* both = as<PgQuery__BoolExpr>(index.where_clause);
  if (both == nullptr) return;
  std::vector<sql::Node*> kept;
  for (sql::Node* condition : sql::nodes(both->n_args, both->args)) {
    if (!is_current_rows_condition(condition)) kept.push_back(condition);
  }
  index.where_clause = sql::make::and_of(statement.arena(), kept);
}

}  // namespace

std::string servers_index_definition(EngineContext& context, const catalog::TableInfo& table,
                                     const catalog::IndexInfo& index) {
  const pg::Result row = context.main.exec_params(
      "SELECT pg_get_indexdef(to_regclass('coppice_store.' || quote_ident($1)))",
      {index.store_name});
  sql::Statement statement = sql::parse_statement(row.text(0, 0));
  use_names(names_of_physical(context, table), statement);
  drop_current_rows_condition(statement);
  return index_definition(statement, table.name, "");
}

std::string stored_index_definition(EngineContext& context, const catalog::TableInfo& table,
                                    const catalog::IndexInfo& index) {
  sql::Statement statement = sql::parse_statement(index.definition);
  if (!names_only_columns_of(table, statement)) {
    return servers_index_definition(context, table, index);
  }
  return index_definition(statement, table.name, "");
}

}  // namespace coppice::engine
