#include "engine/update.h"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "base/text.h"
#include "catalog/expressions.h"
#include "catalog/store_ddl.h"
#include "engine/assigned_part.h"
#include "engine/emit.h"
#include "engine/statement_tools.h"
#include "engine/write_scope.h"
#include "sql/deparse.h"
#include "sql/make.h"
#include "sql/read.h"

namespace coppice::engine {
namespace {

using catalog::ColumnInfo;
using catalog::TableInfo;
using sql::as;

constexpr std::string_view kThisOperation = "current_setting('coppice.op')::bigint";

// A literal has no type yet; in UPDATE it takes the column's, and so does ROW(…).
bool is_untyped(const sql::Node* value) {
  if (as<PgQuery__ParamRef>(value) != nullptr) return true;
  const auto* constant = as<PgQuery__AConst>(value);
  return constant != nullptr &&
         (constant->isnull || constant->val_case == PG_QUERY__A__CONST__VAL_SVAL);
}

sql::Node* default_value(const ColumnInfo& column, sql::Statement& statement) {
  if (column.sequence) {
    sql::Statement next = sql::parse_expression(fmt::format("nextval('{}')", *column.sequence));
    return sql::clone(statement.arena(), next.node());
  }
  sql::Statement expression = sql::parse_expression(column.default_sql.value_or("NULL"));
  return sql::clone(statement.arena(), expression.node());
}

// Column number `number` of a subquery, as a subquery of its own.
sql::Node* one_column(const PgQuery__SubLink& link, int number, int count,
                      sql::Statement& statement) {
  sql::Arena& arena = statement.arena();
  sql::Node* query = sql::clone(arena, link.subselect);
  sql::Node* from = sql::make::subquery(arena, as<PgQuery__SelectStmt>(query), "_given");
  auto* alias = as<PgQuery__RangeSubselect>(from)->alias;
  std::vector<sql::Node*> names;
  for (int i = 1; i <= count; ++i) {
    names.push_back(sql::make::name(arena, fmt::format("_c{}", i)));
  }
  sql::make::set_list(arena, names, alias->n_colnames, alias->colnames);
  PgQuery__SelectStmt* select = sql::make::select(arena);
  sql::Node* const targets[] = {
      sql::make::target(arena, sql::make::column(arena, {fmt::format("_c{}", number)}))};
  sql::make::set_list(arena, targets, select->n_target_list, select->target_list);
  sql::Node* const items[] = {from};
  sql::make::set_list(arena, items, select->n_from_clause, select->from_clause);
  auto* single = sql::clone(arena, &link);
  single->subselect = sql::make::wrap(arena, select);
  return sql::make::wrap(arena, single);
}

sql::Node* assigned_value(const PgQuery__ResTarget& target, sql::Statement& statement) {
  const auto* multiple = as<PgQuery__MultiAssignRef>(target.val);
  if (multiple == nullptr) return target.val;
  if (const auto* link = as<PgQuery__SubLink>(multiple->source)) {
    return one_column(*link, multiple->colno, multiple->ncolumns, statement);
  }
  const auto* row = as<PgQuery__RowExpr>(multiple->source);
  if (row == nullptr || row->n_args != static_cast<std::size_t>(multiple->ncolumns)) {
    throw statement.error(ErrorCode::kUnsupported, target.location,
                          "number of columns does not match number of values");
  }
  return row->args[multiple->colno - 1];
}

// UPDATE … WHERE … AND the row was written by one of the operations in parameter number `number`.
sql::Node* restricted(sql::Node* condition, const std::string& alias, std::size_t number,
                      sql::Arena& arena) {
  sql::Statement again = sql::parse_expression(
      fmt::format("(${0}::bigint[] IS NULL OR {1}._from = ANY (${0}::bigint[]))", number,
                  sql::quote_identifier(alias)));
  // parse_expression numbers parameters from 1; put the wanted number back.
  sql::walk(again.node(), [&](sql::Message& message) {
    if (auto* parameter = as<PgQuery__ParamRef>(message))
      parameter->number = static_cast<int>(number);
    return sql::Visit::kInto;
  });
  sql::Node* clause = sql::clone(arena, again.node());
  if (condition == nullptr) return clause;
  sql::Node* const both[] = {condition, clause};
  return sql::make::and_of(arena, both);
}

pg::Parameter operation_list(const std::vector<std::int64_t>& operations) {
  if (operations.empty()) return std::nullopt;
  return fmt::format("{{{}}}", fmt::join(operations, ","));
}

// SET _to = this operation.
void close_rows(PgQuery__UpdateStmt& update, sql::Arena& arena) {
  sql::Statement operation = sql::parse_expression(kThisOperation);
  sql::Node* const targets[] = {
      sql::make::target(arena, sql::clone(arena, operation.node()), "_to")};
  sql::make::set_list(arena, targets, update.n_target_list, update.target_list);
}

bool touches_key(const TableInfo& table, const std::vector<Assignment>& assignments) {
  for (const catalog::ConstraintInfo& constraint : table.constraints) {
    if (constraint.kind == catalog::ConstraintKind::kCheck) continue;
    for (const Assignment& assignment : assignments) {
      const auto& ids = constraint.columns;
      if (std::count(ids.begin(), ids.end(), assignment.column->id) > 0) return true;
    }
  }
  return std::any_of(table.columns.begin(), table.columns.end(), [&](const ColumnInfo& column) {
    return column.computed() &&
           std::any_of(table.constraints.begin(), table.constraints.end(), [&](const auto& c) {
             return std::count(c.columns.begin(), c.columns.end(), column.id) > 0;
           });
  });
}

// "WITH _moved AS (…) INSERT …" with what is returned read from both the new and the closed rows.
std::string with_moved(const std::string& planned, const std::string& alias,
                       const std::vector<std::string>& returning) {
  const std::string marker = ") INSERT INTO ";
  const std::size_t at = planned.rfind(marker);
  const std::string name = sql::quote_identifier(alias);
  return fmt::format(
      "{}), _new AS ({} RETURNING {}.*) SELECT {} FROM _new AS {} "
      "JOIN _moved ON _moved._row = {}._row",
      planned.substr(0, at), planned.substr(at + 2), name, join(returning, ", "), name, name);
}

}  // namespace

std::vector<Assignment> read_assignments(const TableInfo& table, const std::string& alias,
                                         sql::Statement& statement, std::size_t count,
                                         sql::Node** items) {
  std::vector<Assignment> assignments;
  for (sql::Node* node : sql::nodes(count, items)) {
    const auto& target = *as<PgQuery__ResTarget>(node);
    const ColumnInfo& column = column_named(table, target.name, statement, target.location);
    const bool of_part = target.n_indirection > 0;
    const auto earlier =
        std::find_if(assignments.begin(), assignments.end(),
                     [&](const Assignment& other) { return other.column == &column; });
    if (earlier != assignments.end() && !(of_part && earlier->of_part)) {
      throw statement.error(ErrorCode::kSyntax, target.location,
                            fmt::format("multiple assignments to same column \"{}\"", column.name));
    }
    sql::Node* value = assigned_value(target, statement);
    const bool to_default = value->node_case == PG_QUERY__NODE__NODE_SET_TO_DEFAULT;
    if (column.computed()) {
      if (to_default) continue;
      throw statement.error(
          ErrorCode::kRefused, target.location,
          fmt::format("column \"{}\" can only be updated to DEFAULT: it is computed", column.name),
          "change the columns that it is computed from");
    }
    if (column.identity == "always" && !to_default) {
      throw statement.error(
          ErrorCode::kRefused, target.location,
          fmt::format("column \"{}\" can only be updated to DEFAULT: it is GENERATED ALWAYS",
                      column.name));
    }
    if (of_part) {
      sql::Node* whole = earlier != assignments.end()
                             ? earlier->value
                             : sql::make::column(statement.arena(), {alias, column.name});
      value = with_part(column, whole, target, value, statement);
      if (earlier != assignments.end()) {
        earlier->value = value;
      } else {
        assignments.push_back({&column, value, true});
      }
      continue;
    }
    if (to_default) value = default_value(column, statement);
    if (is_untyped(value) || as<PgQuery__RowExpr>(value) != nullptr) {
      value = sql::make::type_cast(statement.arena(), value, catalog::assignment_type(column.type));
    }
    assignments.push_back({&column, value});
  }
  return assignments;
}

void DirectUpdate::plan(EngineContext& context, const TableInfo& table) {
  sql::Statement statement = sql::parse_statement(text_);
  sql::Arena& arena = statement.arena();
  values_ = bind_parameters(statement, parameters_);
  resolve_versions(context, statement);
  qualify_media_types(sql::message_of(statement.node()), arena);
  auto& update = *as<PgQuery__UpdateStmt>(statement.node());
  const std::string alias(sql::relation_alias(*update.relation));
  WriteScope scope(context, table, alias, statement);
  scope.add_from(update.with_clause, update.n_from_clause, update.from_clause);
  scope.hide_store_columns(update.n_target_list, update.target_list);
  scope.hide_store_columns(update.where_clause);
  const std::vector<Assignment> assignments =
      read_assignments(table, alias, statement, update.n_target_list, update.target_list);

  std::set<std::string> changed;
  for (const Assignment& assignment : assignments) changed.insert(assignment.column->name);
  const std::vector<const ColumnInfo*> affected = affected_columns(table, changed);
  compute_ = ",";
  for (const ColumnInfo& column : table.columns) {
    const bool again = std::count(affected.begin(), affected.end(), &column) > 0 || column.filling;
    if (again) compute_ += column.physical + ",";
  }

  std::vector<sql::Node*> given;
  std::vector<std::string> names = {"_row", "_to"};
  const auto give = [&](sql::Node* value, const std::string& name) {
    given.push_back(sql::make::target(arena, value, name));
  };
  const auto old_value = [&](const std::string& name) {
    return sql::make::column(arena, {alias, name});
  };
  give(old_value("_row"), "_row");
  const std::int64_t mark = catalog::marked_to(table, catalog::RowMark::kCopied);
  give(sql::make::integer_constant(arena, mark), "_to");
  for (const ColumnInfo* column : table.visible_columns()) {
    if (std::count(affected.begin(), affected.end(), column) > 0) continue;
    const auto assigned = std::find_if(assignments.begin(), assignments.end(),
                                       [&](const Assignment& a) { return a.column == column; });
    give(assigned != assignments.end() ? assigned->value : old_value(column->name), column->name);
    names.push_back(column->name);
  }

  // What the user wants back is taken from the new rows; what a table of FROM has, the closed row
  // takes along as _along<i>.
  std::size_t taken_along = 0;
  scope.write_out_returning(update.n_returning_list, update.returning_list,
                            [&](sql::Node* expression) {
                              const std::string name = fmt::format("_along{}", taken_along++);
                              give(expression, name);
                              return sql::make::column(arena, {"_moved", name});
                            });
  std::vector<std::string> returning;
  for (sql::Node* node : sql::nodes(update.n_returning_list, update.returning_list)) {
    const auto* target = as<PgQuery__ResTarget>(node);
    returning.push_back(sql::deparse_expression(target->val) + " AS " +
                        sql::quote_identifier(target->name));
  }
  returns_rows_ = !returning.empty();

  sql::make::set_list(arena, given, update.n_returning_list, update.returning_list);
  close_rows(update, arena);
  update.where_clause = restricted(update.where_clause, alias, values_.size() + 1, arena);
  use_working_view(table, *update.relation, arena);

  const std::string columns = identifier_list(names);
  planned_ = fmt::format("WITH _moved AS ({}) INSERT INTO {} AS {} ({}) SELECT {} FROM _moved{}",
                         sql::deparse(statement.node()), table.working_view(),
                         sql::quote_identifier(alias), columns, columns,
                         // All old rows are closed before the first new key is looked at.
                         touches_key(table, assignments) ? " ORDER BY _row" : "");
  if (taken_along > 0) planned_ = with_moved(planned_, alias, returning);
  if (returns_rows_ && taken_along == 0) planned_ += " RETURNING " + join(returning, ", ");
  returned_.clear();
}

void DirectUpdate::write(EngineContext& context, const catalog::Operation&,
                         const std::vector<std::int64_t>& only_rows_of,
                         catalog::RowCounts& counts) {
  if (only_rows_of.empty()) returned_.clear();
  context.main.exec_cached("SELECT set_config('coppice.compute', $1, true)", {compute_});
  std::vector<pg::Parameter> values = values_;
  values.push_back(operation_list(only_rows_of));
  returned_.push_back(context.main.exec_cached(planned_, values));
  counts.updated += static_cast<std::int64_t>(returned_.back().affected_rows());
}

void DirectUpdate::emit(EngineContext& context, ResultSink& sink) {
  if (returns_rows_) emit_results(context, returned_, sink);
}

void DirectDelete::plan(EngineContext& context, const TableInfo& table) {
  sql::Statement statement = sql::parse_statement(text_);
  sql::Arena& arena = statement.arena();
  values_ = bind_parameters(statement, parameters_);
  resolve_versions(context, statement);
  qualify_media_types(sql::message_of(statement.node()), arena);
  auto* update = arena.allocate_array<PgQuery__UpdateStmt>(1);
  pg_query__update_stmt__init(update);
  if (auto* deletion = as<PgQuery__DeleteStmt>(statement.node())) {
    update->relation = deletion->relation;
    update->n_from_clause = deletion->n_using_clause;
    update->from_clause = deletion->using_clause;
    update->where_clause = deletion->where_clause;
    update->with_clause = deletion->with_clause;
    update->n_returning_list = deletion->n_returning_list;
    update->returning_list = deletion->returning_list;
  } else {
    auto* truncation = as<PgQuery__TruncateStmt>(statement.node());
    update->relation = as<PgQuery__RangeVar>(truncation->relations[0]);
    restarted_.clear();
    for (const ColumnInfo& column : table.columns) {
      if (truncation->restart_seqs && column.sequence) restarted_.push_back(*column.sequence);
    }
  }
  const std::string alias(sql::relation_alias(*update->relation));
  WriteScope scope(context, table, alias, statement);
  scope.add_from(update->with_clause, update->n_from_clause, update->from_clause);
  scope.hide_store_columns(update->where_clause);
  // The closed row has all values, and the tables of USING stand beside it.
  scope.write_out_returning(update->n_returning_list, update->returning_list,
                            [](sql::Node* expression) { return expression; });
  returns_rows_ = update->n_returning_list > 0;
  close_rows(*update, arena);
  update->where_clause = restricted(update->where_clause, alias, values_.size() + 1, arena);
  use_working_view(table, *update->relation, arena);
  planned_ = sql::deparse(sql::make::wrap(arena, update));
  returned_.clear();
}

void DirectDelete::write(EngineContext& context, const catalog::Operation&,
                         const std::vector<std::int64_t>& only_rows_of,
                         catalog::RowCounts& counts) {
  if (only_rows_of.empty()) returned_.clear();
  std::vector<pg::Parameter> values = values_;
  values.push_back(operation_list(only_rows_of));
  returned_.push_back(context.main.exec_cached(planned_, values));
  for (const std::string& sequence : restarted_) {
    context.main.exec(fmt::format("ALTER SEQUENCE {} RESTART", sequence));
  }
  counts.deleted += static_cast<std::int64_t>(returned_.back().affected_rows());
}

void DirectDelete::emit(EngineContext& context, ResultSink& sink) {
  if (returns_rows_) emit_results(context, returned_, sink);
}

}  // namespace coppice::engine
