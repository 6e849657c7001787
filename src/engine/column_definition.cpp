#include "engine/column_definition.h"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "base/text.h"
#include "catalog/error_translation.h"
#include "catalog/expressions.h"
#include "catalog/store_ddl.h"
#include "engine/bound_expression.h"
#include "engine/query.h"
#include "exec/binder.h"

namespace coppice::engine {
namespace {

using catalog::ColumnInfo;
using catalog::ConstraintInfo;
using catalog::ConstraintKind;
using catalog::TableInfo;

std::string bool_text(bool value) { return value ? "t" : "f"; }

// Ids are never used again, so neither are physical columns.
std::int64_t next_id(EngineContext& context) {
  return context.main.exec_cached("SELECT nextval('coppice.ids')", {}).integer(0, 0);
}

// A cycle among computed columns, told as the path "a, b, a".
void refuse_cycle(const TableInfo& table, const ColumnInfo& start, const sql::SourceText& source,
                  std::ptrdiff_t location) {
  std::vector<std::string> path;
  const std::function<bool(const ColumnInfo&)> visit = [&](const ColumnInfo& column) {
    path.push_back(column.name);
    for (const std::string& name : catalog::columns_read(table, *column.expression)) {
      if (name == start.name) {
        path.push_back(name);
        return true;
      }
      const ColumnInfo* read = table.find_column(name);
      const bool seen = std::count(path.begin(), path.end(), name) > 0;
      if (read != nullptr && read->computed() && !seen && visit(*read)) return true;
    }
    path.pop_back();
    return false;
  };
  // A base column that changes its type reads its old self.
  const ColumnInfo* present = table.find_column(start.name);
  if (present != nullptr && present->id == start.id && !present->computed()) return;
  if (!visit(start)) return;
  throw sql::error_at(
      ErrorCode::kRefused, source, location,
      fmt::format("computed columns depend on each other in a cycle: {}", join(path, " → ")));
}

}  // namespace

void make_sequence(EngineContext& context, const TableInfo& table, ColumnInfo& column,
                   const std::string& options) {
  column.sequence = fmt::format("{}_{}_seq", table.store_table(), column.physical);
  const std::string type =
      column.type == "smallint" || column.type == "integer" ? column.type : "bigint";
  context.main.exec(fmt::format("CREATE SEQUENCE {} AS {} {}", *column.sequence, type, options));
  column.default_sql = std::nullopt;
}

void use_sequence(EngineContext& context, const TableInfo& table, const ColumnInfo& column) {
  context.main.exec(fmt::format("ALTER TABLE {0} ALTER {1} SET DEFAULT nextval('{2}')",
                                table.store_table(), column.physical, *column.sequence));
  context.main.exec(fmt::format("ALTER SEQUENCE {} OWNED BY {}.{}", *column.sequence,
                                table.store_table(), column.physical));
}

void check_default(EngineContext& context, const ColumnInfo& column) {
  catalog::check_expression_form(*column.default_sql, "default");
  const sql::Statement expression = sql::parse_expression(*column.default_sql);
  if (!exec::mentions_engine_function(expression.node(), context.functions)) return;
  throw Error(ErrorCode::kUnsupported,
              fmt::format("the default of column \"{}\" calls an engine function: {}", column.name,
                          *column.default_sql),
              "a value that workers compute is a computed column: GENERATED ALWAYS AS (…) STORED");
}

void keep_column(EngineContext& context, const TableInfo& table, const ColumnInfo& column,
                 std::int64_t from_version, std::string_view state) {
  context.main.exec_cached(
      "INSERT INTO coppice.columns (table_id, column_id, from_version, physical, name, position, "
      "type, not_null, default_sql, identity, sequence, expression, uses_engine, on_error, backup, "
      "comment, state, url_policy, derived) VALUES "
      "($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)",
      {std::to_string(table.table_id), std::to_string(column.id), std::to_string(from_version),
       column.physical, column.name, std::to_string(column.position), column.type,
       bool_text(column.not_null), column.default_sql, column.identity, column.sequence,
       column.expression, bool_text(column.uses_engine),
       column.on_error == catalog::OnError::kIgnore ? "ignore" : "abort", column.backup,
       column.comment, std::string(state), column.references, column.derived});
}

ColumnInfo& add_column(EngineContext& context, TableInfo& table, const ColumnDraft& draft,
                       std::int64_t from_version, std::string_view state) {
  ColumnInfo column = draft.info;
  const std::int64_t id = next_id(context);
  if (column.id == 0) column.id = id;  // a new physical column of a known column keeps its id
  column.physical = fmt::format("c{}", id);
  column.filling = state == "filling";
  if (column.position == 0) {
    for (const ColumnInfo& other : table.columns) {
      column.position = std::max(column.position, other.position);
    }
    ++column.position;
  }
  if (draft.serial || column.identity)
    make_sequence(context, table, column, draft.sequence_options);
  if (column.default_sql) check_default(context, column);
  context.main.exec(catalog::add_physical_column(table, column));
  if (column.sequence) use_sequence(context, table, column);
  column.from_version = from_version;
  table.columns.push_back(std::move(column));
  return table.columns.back();
}

void refuse_engine_calls(EngineContext& context, const std::string& check) {
  const sql::Statement expression = sql::parse_expression(check);
  if (!exec::mentions_engine_function(expression.node(), context.functions)) return;
  throw Error(ErrorCode::kUnsupported,
              fmt::format("a check cannot call an engine function: {}", check),
              "keep its value in a computed column, and check that");
}

ConstraintInfo& add_constraint(EngineContext& context, TableInfo& table,
                               const ConstraintDraft& draft) {
  ConstraintInfo constraint;
  std::vector<std::string> taken;
  for (const ConstraintInfo& other : table.constraints) taken.push_back(other.name);
  constraint.id = next_id(context);
  constraint.name = constraint_name(table.name.name, draft, taken);
  if (std::count(taken.begin(), taken.end(), constraint.name) > 0) {
    throw Error(ErrorCode::kAlreadyExists,
                fmt::format("constraint \"{}\" for relation \"{}\" already exists", constraint.name,
                            table.name.name));
  }
  constraint.kind = draft.kind;
  if (draft.expression) refuse_engine_calls(context, *draft.expression);
  constraint.expression = draft.expression;
  constraint.nulls_distinct = draft.nulls_distinct;
  constraint.store_name = fmt::format("{}_k{}", table.store, constraint.id);
  std::set<std::string> names(draft.columns.begin(), draft.columns.end());
  if (draft.expression) names = catalog::columns_read(table, *draft.expression);
  std::vector<std::string> ordered = draft.columns;
  if (draft.expression) ordered.assign(names.begin(), names.end());
  for (const std::string& name : ordered) {
    const ColumnInfo* column = table.find_column(name);
    COPPICE_ASSERT(column != nullptr);
    constraint.columns.push_back(column->id);
  }
  table.constraints.push_back(constraint);  // for the error to be told in the user's names
  try {
    context.main.exec(catalog::add_constraint(table, constraint));
  } catch (const pg::ServerError& error) {
    if (error.sqlstate() != "23505" && error.sqlstate() != "23514") throw;
    throw catalog::translate(error, table);
  }
  context.main.exec_cached(
      "INSERT INTO coppice.constraints (constraint_id, table_id, name, kind, columns, expression, "
      "store_name, nulls_distinct) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
      {std::to_string(constraint.id), std::to_string(table.table_id), constraint.name,
       std::string(catalog::constraint_kind_name(constraint.kind)),
       fmt::format("{{{}}}", fmt::join(constraint.columns, ",")), constraint.expression,
       constraint.store_name, bool_text(constraint.nulls_distinct)});
  return table.constraints.back();
}

// The expression's type is not the column's, nor assigned to it without a cast.
Error wrong_type(const pg::ServerError& error, const ColumnInfo& column, const TableInfo& table,
                 ExpressionUse use, const sql::SourceText& source, std::ptrdiff_t location) {
  // column "c5" is of type integer but expression is of type text
  const std::string& primary = error.fields().primary;
  const std::string_view mark = "expression is of type ";
  const std::size_t at = primary.find(mark);
  const std::string given = at == std::string::npos ? "another" : primary.substr(at + mark.size());
  if (use != ExpressionUse::kNewType) {
    return sql::error_at(
        error.code(), source, location,
        fmt::format("column \"{}\" is of type {} but its {}expression is of type {}", column.name,
                    column.type, use == ExpressionUse::kDefault ? "default " : "", given),
        "you will need to rewrite or cast the expression");
  }
  const ColumnInfo* present = table.find_column(column.name);
  const std::string quoted = sql::quote_identifier(column.name);
  if (present != nullptr && column.expression == quoted) {
    return sql::error_at(
        error.code(), source, location,
        fmt::format("column \"{}\" cannot be cast automatically to type {}", column.name,
                    column.type),
        fmt::format("you might need to specify \"USING {}::{}\"", quoted, column.type));
  }
  return sql::error_at(
      error.code(), source, location,
      fmt::format(
          "result of USING clause for column \"{}\" cannot be cast automatically to type {}",
          column.name, column.type),
      "you might need to add an explicit cast");
}

// The binder sees the expression alone: its places are not the statement's.
template <typename Work>
auto told_at(const sql::SourceText& source, std::ptrdiff_t location, const Work& work) {
  try {
    return work();
  } catch (const Error& error) {
    throw sql::placed(sql::moved(error, source, location), source, location);
  }
}

void check_computed_column(EngineContext& context, const TableInfo& table, ColumnInfo& column,
                           const sql::SourceText& source, std::ptrdiff_t location,
                           ExpressionUse use) {
  if (use == ExpressionUse::kComputed) {
    told_at(source, location, [&] { refuse_cycle(table, column, source, location); });
  }
  const BoundExpression bound =
      told_at(source, location, [&] { return bind_column_expression(context, table, column); });
  column.uses_engine = bound.uses_engine;
  // PostgreSQL checks names and types, as for an INSERT of the expression's value.
  const std::string probe =
      fmt::format("INSERT INTO {} ({}) SELECT {} FROM {}", table.store_table(), column.physical,
                  bound.store_sql, table.store_table());
  try {
    context.main.describe(probe);
  } catch (const pg::ServerError& error) {
    if (error.sqlstate() == "42804") {
      throw wrong_type(error, column, table, use, source, location);
    }
    const std::string what =
        use == ExpressionUse::kComputed ? fmt::format("computed column \"{}\": ", column.name) : "";
    throw sql::error_at(error.code(), source, location, what + error.message(),
                        nearest_hint(context, error));
  }
}

}  // namespace coppice::engine
