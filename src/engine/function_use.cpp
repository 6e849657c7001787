#include "engine/function_use.h"

#include <fmt/core.h>

#include <algorithm>
#include <set>

#include "engine/schema_text.h"
#include "exec/kinds.h"
#include "sql/read.h"

namespace coppice::engine {
namespace {

using catalog::ColumnInfo;
using catalog::TableInfo;
using sql::as;

sql::QualifiedName in_public(sql::QualifiedName name) {
  if (name.schema.empty()) name.schema = "public";
  return name;
}

bool calls(sql::Node* node, const sql::QualifiedName& name) {
  return !sql::walk(node, [&](sql::Message& message) {
    const auto* const call = as<PgQuery__FuncCall>(message);
    const bool found =
        call != nullptr && call->n_funcname <= 2 && in_public(sql::function_name(*call)) == name;
    return found ? sql::Visit::kStop : sql::Visit::kInto;
  });
}

// The user's functions that an expression may call: by name, for overloads of one name are few.
std::set<const UserFunction*> functions_in(EngineContext& context, const std::string& expression) {
  std::set<const UserFunction*> found;
  sql::Statement parsed = sql::parse_expression(expression);
  sql::walk(parsed.node(), [&](sql::Message& message) {
    const auto* const call = as<PgQuery__FuncCall>(message);
    if (call != nullptr && call->n_funcname <= 2) {
      for (const UserFunction* function : context.user_functions.named(sql::function_name(*call))) {
        found.insert(function);
      }
    }
    return sql::Visit::kInto;
  });
  return found;
}

}  // namespace

std::vector<std::string> users_of_function(EngineContext& context, const sql::QualifiedName& name) {
  const sql::QualifiedName wanted = in_public(name);
  std::vector<std::string> users;
  for (const sql::QualifiedName& table_name : context.catalog.all_tables()) {
    const catalog::TablePointer table = context.catalog.table(table_name);
    for (const ColumnInfo& column : table->columns) {
      const std::optional<std::string> text = column.expression ? column.expression
                                              : column.derived  ? column.derived
                                                                : column.default_sql;
      if (!text) continue;
      sql::Statement parsed = sql::parse_expression(*text);
      if (!calls(parsed.node(), wanted)) continue;
      users.push_back("column " + shown_column(table->name, column.name));
    }
    if (table->view) {
      sql::Statement query = sql::parse_statement(table->view->definition);
      if (calls(query.node(), wanted)) users.push_back("view " + shown_name(table->name));
    }
  }
  const pg::Result views = context.main.exec(
      "SELECT schema_name, view_name, definition FROM coppice.views ORDER BY 1, 2");
  for (int row = 0; row < views.rows(); ++row) {
    sql::Statement parsed = sql::parse_statement(views.text(row, 2));
    if (!calls(parsed.node(), wanted)) continue;
    users.push_back("view " +
                    shown_name({std::string(views.text(row, 0)), std::string(views.text(row, 1))}));
  }
  return users;
}

void note_functions_used(EngineContext& context, const TableInfo& table,
                         const std::vector<const ColumnInfo*>& columns) {
  if (context.user_functions.all().empty()) return;
  for (const ColumnInfo* const column : columns) {
    const std::optional<std::string>& text =
        column->expression ? column->expression : column->derived;
    if (!column->uses_engine || !text) continue;
    for (const UserFunction* const function : functions_in(context, *text)) {
      const std::string key =
          fmt::format("{} {} {}", column->physical, function->version, function->signature.id);
      if (!context.functions_noted.insert(key).second) continue;
      context.main.exec_cached(
          "INSERT INTO coppice.column_functions (table_id, physical, function_id, version) "
          "SELECT table_id, $2, $3, $4 FROM coppice.tables WHERE table_id = $1 "
          "ON CONFLICT DO NOTHING",
          {std::to_string(table.table_id), column->physical, function->signature.id,
           std::to_string(function->version)});
    }
  }
}

void carry_over_use(EngineContext& context, const std::string& function_id, std::int64_t version) {
  context.main.exec_params(
      "UPDATE coppice.column_functions SET version = $2 WHERE function_id = $1 AND version = $2 - "
      "1",
      {function_id, std::to_string(version)});
}

std::vector<StaleColumn> stale_columns(EngineContext& context) {
  const pg::Result rows = context.main.exec(
      "SELECT t.schema_name, t.table_name, c.name, f.function_id, min(u.version), f.version "
      "FROM coppice.column_functions u "
      "JOIN coppice.functions f ON f.function_id = u.function_id AND f.replaced_at IS NULL "
      "AND u.version < f.version "
      "JOIN coppice.columns c ON c.table_id = u.table_id AND c.physical = u.physical "
      "AND c.to_version IS NULL AND c.state = 'live' "
      "JOIN coppice.tables t ON t.table_id = u.table_id "
      "GROUP BY 1, 2, 3, 4, f.version ORDER BY 1, 2, 3, 4");
  std::vector<StaleColumn> found;
  for (int row = 0; row < rows.rows(); ++row) {
    found.push_back({shown_name({std::string(rows.text(row, 0)), std::string(rows.text(row, 1))}),
                     std::string(rows.text(row, 2)), std::string(rows.text(row, 3)),
                     rows.integer(row, 4), rows.integer(row, 5)});
  }
  return found;
}

void forget_older_versions(EngineContext& context, const TableInfo& table,
                           const std::vector<const ColumnInfo*>& columns) {
  for (const ColumnInfo* const column : columns) {
    context.main.exec_cached(
        "DELETE FROM coppice.column_functions u USING coppice.functions f "
        "WHERE u.table_id = $1 AND u.physical = $2 AND f.function_id = u.function_id "
        "AND f.replaced_at IS NULL AND u.version < f.version",
        {std::to_string(table.table_id), column->physical});
  }
}

}  // namespace coppice::engine
