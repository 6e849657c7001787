#include "engine/staged_write.h"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "base/crash_point.h"
#include "base/text.h"
#include "catalog/error_translation.h"
#include "catalog/expressions.h"
#include "engine/bound_expression.h"
#include "engine/emit.h"
#include "engine/engine_query.h"
#include "engine/insert.h"
#include "engine/job_watch.h"
#include "engine/on_conflict.h"
#include "engine/operation_end.h"
#include "engine/query.h"
#include "engine/staged_returning.h"
#include "engine/staged_run.h"
#include "engine/statement_tools.h"
#include "engine/update.h"
#include "exec/binder.h"
#include "exec/select.h"
#include "pg/copy.h"
#include "pg/transaction.h"
#include "sql/deparse.h"
#include "sql/read.h"

namespace coppice::engine {
namespace {

using catalog::ColumnInfo;
using catalog::Operation;
using catalog::TableInfo;
using catalog::TablePointer;
using sql::as;

std::vector<const ColumnInfo*> all_computed(const TableInfo& table) {
  std::vector<const ColumnInfo*> columns;
  for (const ColumnInfo& column : table.columns) {
    if (column.computed()) columns.push_back(&column);
  }
  return columns;
}

std::vector<const ColumnInfo*> computed_after_change(const TableInfo& table,
                                                     const std::set<std::string>& changed) {
  std::vector<const ColumnInfo*> columns = affected_columns(table, changed);
  for (const ColumnInfo& column : table.columns) {
    // The old row may not have been reached by the fill yet.
    if (column.filling && std::count(columns.begin(), columns.end(), &column) == 0) {
      columns.push_back(&column);
    }
  }
  return columns;
}

// SET a = width(clip): whether what the statement changes needs workers or media.
bool touches_engine(EngineContext& context, const TableInfo& table, sql::Statement& statement,
                    const std::set<std::string>& changed) {
  if (exec::mentions_engine_function(statement.node(), context.functions)) return true;
  for (const std::string& name : changed) {
    const ColumnInfo* column = table.find_column(name);
    if (column != nullptr && column->media_kind()) return true;
  }
  const auto computed = computed_after_change(table, changed);
  return std::any_of(computed.begin(), computed.end(),
                     [](const ColumnInfo* column) { return column->uses_engine; });
}

// Without a column list any media column may get a value.
bool gives_media(const TableInfo& table, const PgQuery__InsertStmt& insert) {
  if (insert.n_cols == 0) return table.has_media();
  return std::any_of(insert.cols, insert.cols + insert.n_cols, [&](const sql::Node* node) {
    const ColumnInfo* column = table.find_column(as<PgQuery__ResTarget>(node)->name);
    return column != nullptr && column->media_kind().has_value();
  });
}

std::set<std::string> assigned_names(const PgQuery__UpdateStmt& update) {
  std::set<std::string> names;
  for (sql::Node* node : sql::nodes(update.n_target_list, update.target_list)) {
    names.insert(as<PgQuery__ResTarget>(node)->name);
  }
  return names;
}

// Its parts become statements of their own, which do not all have every parameter.
void put_parameters_in(sql::Statement& statement, const SqlParameters& parameters) {
  exec::substitute_parameters(statement.root(), bind_parameters(statement, parameters),
                              statement.arena());
}

// The columns of the stage that RETURNING reads besides the table's.
void add_along(const StagedReturning& returning, std::vector<std::string>& physical,
               std::vector<std::string>& types, std::vector<std::string>& given) {
  for (std::size_t i = 0; i < returning.along.size(); ++i) {
    physical.push_back(fmt::format("_along{}", i));
    types.push_back(returning.types[i]);
    given.push_back(returning.along[i]);
  }
}

void make_along(const StagedReturning& returning, Stage& stage) {
  for (std::size_t i = 0; i < returning.types.size(); ++i) {
    stage.add_along(fmt::format("_along{}", i), returning.types[i]);
  }
}

// The FROM and WHERE of an UPDATE or DELETE as those of a query over the working view.
std::string reading_tail(const TableInfo& table, const PgQuery__RangeVar& relation,
                         std::size_t from_count, sql::Node** from_items, sql::Node* where,
                         const std::vector<std::int64_t>& only_rows) {
  const std::string alias = sql::quote_identifier(sql::relation_alias(relation));
  std::string text = fmt::format(" FROM {} AS {}", table.working_view(), alias);
  for (sql::Node* item : sql::nodes(from_count, from_items)) {
    text += ", " + from_item_text(item);
  }
  std::vector<std::string> terms;
  if (where != nullptr) terms.push_back("(" + sql::deparse_expression(where) + ")");
  if (!only_rows.empty()) {
    terms.push_back(fmt::format("{}._row = ANY ('{}'::bigint[])", alias, bigint_array(only_rows)));
  }
  if (!terms.empty()) text += " WHERE " + join(terms, " AND ");
  return text;
}

}  // namespace

bool insert_needs_staging(EngineContext& context, const TableInfo& table,
                          sql::Statement& statement) {
  const auto& insert = *as<PgQuery__InsertStmt>(statement.node());
  return table.has_engine_columns() || gives_media(table, insert) ||
         exec::mentions_engine_function(statement.node(), context.functions) ||
         reads_engine_view(context, statement);
}

bool update_needs_staging(EngineContext& context, const TableInfo& table,
                          sql::Statement& statement) {
  const auto& update = *as<PgQuery__UpdateStmt>(statement.node());
  return touches_engine(context, table, statement, assigned_names(update)) ||
         reads_engine_view(context, statement);
}

void run_staged_insert(EngineContext& context, const TableInfo& table, sql::Statement& statement,
                       const SqlParameters& parameters, ResultSink& sink, std::string_view tag,
                       const std::optional<Operation>& resumes) {
  auto& insert = *as<PgQuery__InsertStmt>(statement.node());
  put_parameters_in(statement, parameters);
  const auto columns = prepare_insert_columns(context, table, statement);
  StagedPlan plan;
  plan.kind = "insert";
  plan.resumes = resumes;
  plan.tag = tag;
  plan.alias = sql::relation_alias(*insert.relation);
  WriteScope scope(context, table, plan.alias, statement);
  plan.returning = read_returning(context, statement, scope, plan.alias, {},
                                  insert.n_returning_list, insert.returning_list)
                       .list;
  plan.computed = all_computed;
  std::vector<std::string> physical, types;
  for (const ColumnInfo* column : columns) {
    physical.push_back(column->physical);
    types.push_back(catalog::store_type(column->type));
    plan.media.insert(column->name);
  }
  plan.load = [&](Stage& stage, const std::vector<std::int64_t>& changed) {
    if (!changed.empty()) return;  // rows that ON CONFLICT updates: resolved again at publish
    if (insert.select_stmt == nullptr) {
      context.main.exec(fmt::format("INSERT INTO {} DEFAULT VALUES", stage.name()));
      return;
    }
    sql::Statement source = parse_generated(sql::deparse(insert.select_stmt), statement);
    load_query(context, stage, physical, types, source, {});
  };
  if (auto* conflict = insert.on_conflict_clause; conflict != nullptr) {
    scope.add_excluded();
    scope.hide_store_columns(conflict->n_target_list, conflict->target_list);
    scope.hide_store_columns(conflict->where_clause);
    plan.after_media = [&](Stage& stage) {
      resolve_conflicts(context, stage, *insert.on_conflict_clause, plan.alias, statement);
    };
  }
  run_staged(context, context.catalog.table(table.name), statement.text(), plan, sink);
}

void run_staged_update(EngineContext& context, const TableInfo& table, sql::Statement& statement,
                       const SqlParameters& parameters, ResultSink& sink,
                       const std::optional<Operation>& resumes) {
  auto& update = *as<PgQuery__UpdateStmt>(statement.node());
  put_parameters_in(statement, parameters);
  resolve_versions(context, statement);
  StagedPlan plan;
  plan.kind = "update";
  plan.resumes = resumes;
  plan.tag = "UPDATE";
  plan.alias = sql::relation_alias(*update.relation);
  WriteScope scope(context, table, plan.alias, statement);
  scope.add_from(update.with_clause, update.n_from_clause, update.from_clause);
  scope.hide_store_columns(update.n_target_list, update.target_list);
  scope.hide_store_columns(update.where_clause);
  const StagedReturning returning =
      read_returning(context, statement, scope, plan.alias,
                     {update.with_clause, update.n_from_clause, update.from_clause},
                     update.n_returning_list, update.returning_list);
  plan.returning = returning.list;
  const std::vector<Assignment> assignments =
      read_assignments(table, plan.alias, statement, update.n_target_list, update.target_list);
  std::set<std::string> changed;
  for (const Assignment& assignment : assignments) changed.insert(assignment.column->name);
  plan.media = changed;
  plan.computed = [changed](const TableInfo& now) { return computed_after_change(now, changed); };
  const std::string alias = sql::quote_identifier(plan.alias);
  std::vector<std::string> physical = {"_row", "_old", "_action"};
  std::vector<std::string> types = {"bigint", "bigint", "\"char\""};
  std::vector<std::string> given = {alias + "._row", alias + "._from", "'u'"};
  for (const ColumnInfo* column : table.visible_columns()) {
    const auto assigned = std::find_if(assignments.begin(), assignments.end(),
                                       [&](const Assignment& a) { return a.column == column; });
    physical.push_back(column->physical);
    types.push_back(catalog::store_type(column->type));
    given.push_back(assigned != assignments.end()
                        ? sql::deparse_expression(assigned->value)
                        : alias + "." + sql::quote_identifier(column->name));
  }
  add_along(returning, physical, types, given);
  if (!exec::mentions_engine_function(update.where_clause, context.functions) &&
      update.with_clause == nullptr && !reads_engine_view(context, statement)) {
    plan.rows_query = fmt::format("SELECT DISTINCT {}._row{}", alias,
                                  reading_tail(table, *update.relation, update.n_from_clause,
                                               update.from_clause, update.where_clause, {}));
  }
  plan.load = [&](Stage& stage, const std::vector<std::int64_t>& only_rows) {
    make_along(returning, stage);
    const std::string with = update.with_clause != nullptr ? with_text(*update.with_clause) : "";
    const std::string text =
        fmt::format("{}SELECT DISTINCT ON ({}._row) {}{}", with, alias, join(given, ", "),
                    reading_tail(table, *update.relation, update.n_from_clause, update.from_clause,
                                 update.where_clause, only_rows));
    sql::Statement source = parse_generated(text, statement);
    load_query(context, stage, physical, types, source, {});
  };
  run_staged(context, context.catalog.table(table.name), statement.text(), plan, sink);
}

void run_staged_delete(EngineContext& context, const TableInfo& table, sql::Statement& statement,
                       const SqlParameters& parameters, ResultSink& sink) {
  auto& deletion = *as<PgQuery__DeleteStmt>(statement.node());
  put_parameters_in(statement, parameters);
  resolve_versions(context, statement);
  StagedPlan plan;
  plan.kind = "delete";
  plan.tag = "DELETE";
  plan.alias = sql::relation_alias(*deletion.relation);
  plan.computed = [](const TableInfo&) { return std::vector<const ColumnInfo*>(); };
  WriteScope scope(context, table, plan.alias, statement);
  scope.add_from(deletion.with_clause, deletion.n_using_clause, deletion.using_clause);
  scope.hide_store_columns(deletion.where_clause);
  const StagedReturning returning =
      read_returning(context, statement, scope, plan.alias,
                     {deletion.with_clause, deletion.n_using_clause, deletion.using_clause},
                     deletion.n_returning_list, deletion.returning_list);
  plan.returning = returning.list;
  const std::string alias = sql::quote_identifier(plan.alias);
  std::vector<std::string> physical = {"_row", "_old", "_action"};
  std::vector<std::string> types = {"bigint", "bigint", "\"char\""};
  std::vector<std::string> given = {alias + "._row", alias + "._from", "'d'"};
  for (const ColumnInfo* column : table.visible_columns()) {
    if (returning.list.empty()) break;
    physical.push_back(column->physical);
    types.push_back(catalog::store_type(column->type));
    given.push_back(alias + "." + sql::quote_identifier(column->name));
  }
  add_along(returning, physical, types, given);
  plan.load = [&](Stage& stage, const std::vector<std::int64_t>& only_rows) {
    make_along(returning, stage);
    const std::string with =
        deletion.with_clause != nullptr ? with_text(*deletion.with_clause) : "";
    const std::string text =
        fmt::format("{}SELECT DISTINCT ON ({}._row) {}{}", with, alias, join(given, ", "),
                    reading_tail(table, *deletion.relation, deletion.n_using_clause,
                                 deletion.using_clause, deletion.where_clause, only_rows));
    sql::Statement source = parse_generated(text, statement);
    load_query(context, stage, physical, types, source, {});
  };
  run_staged(context, context.catalog.table(table.name), statement.text(), plan, sink);
}

void run_staged_truncate(EngineContext& context, const TableInfo& table, std::string_view statement,
                         bool restart, ResultSink& sink) {
  StagedPlan plan;
  plan.kind = "delete";
  plan.tag = "TRUNCATE TABLE";
  plan.tells_count = false;
  plan.alias = table.name.name;
  plan.computed = [](const TableInfo&) { return std::vector<const ColumnInfo*>(); };
  plan.load = [&](Stage& stage, const std::vector<std::int64_t>& only_rows) {
    const std::string condition =
        only_rows.empty()
            ? ""
            : fmt::format(" AND _row = ANY ('{}'::bigint[])", bigint_array(only_rows));
    context.main.exec(fmt::format(
        "INSERT INTO {} (_row, _old, _action) SELECT _row, _from, 'd' FROM {} WHERE _to = {}{}",
        stage.name(), table.store_table(), catalog::kCurrentText, condition));
  };
  plan.in_publish = [&] {
    for (const ColumnInfo& column : table.columns) {
      if (!restart || !column.sequence) continue;
      context.main.exec(fmt::format("ALTER SEQUENCE {} RESTART", *column.sequence));
    }
  };
  run_staged(context, context.catalog.table(table.name), statement, plan, sink);
}

void run_staged_copy(EngineContext& context, const TableInfo& table, const CopyRequest& request,
                     std::string_view statement, ResultSink& sink) {
  StagedPlan plan;
  plan.kind = "copy";
  plan.skip_bad_media = request.skip_bad_media;
  plan.tag = "COPY";
  plan.alias = table.name.name;
  plan.computed = all_computed;
  for (const ColumnInfo* column : table.visible_columns()) plan.media.insert(column->name);
  plan.load = [&](Stage& stage, const std::vector<std::int64_t>&) {
    copy_into(context, table, stage.name(), request);
  };
  run_staged(context, context.catalog.table(table.name), statement, plan, sink);
}

bool resume_from_statement(EngineContext& context, std::int64_t tree_id, std::int64_t op_id,
                           ResultSink& sink) {
  const pg::Result row = context.main.exec_params(
      "SELECT statement, table_id FROM coppice.operations WHERE tree_id = $1 AND op_id = $2",
      {std::to_string(tree_id), std::to_string(op_id)});
  const std::string text(row.text(0, 0));
  if (text.size() > catalog::kStatementBytesKept) return false;
  std::optional<sql::Statement> statement;
  try {
    statement.emplace(sql::parse_statement(text));
  } catch (const Error&) {
    return false;  // of a verb: it is no SQL
  }
  if (!statement->parameters().empty()) return false;
  if (const auto* create = as<PgQuery__CreateTableAsStmt>(statement->node())) {
    // Its table is there.
    const TablePointer made = context.catalog.table_by_id(row.integer(0, 1));
    if (made == nullptr || made->view) return false;
    statement.emplace(sql::parse_statement(
        fmt::format("INSERT INTO {} {}", made->user_name(), sql::deparse(create->query))));
  }
  const auto* insert = as<PgQuery__InsertStmt>(statement->node());
  const auto* update = as<PgQuery__UpdateStmt>(statement->node());
  if (insert == nullptr && update == nullptr) return false;
  const TablePointer table =
      written_table(context, *statement, insert != nullptr ? *insert->relation : *update->relation);
  const auto waiting = context.log.take_up(tree_id, op_id);
  if (!waiting) throw_taken_up(tree_id, op_id);
  if (insert != nullptr) {
    run_staged_insert(context, *table, *statement, {}, sink, "INSERT 0", waiting->operation);
  } else {
    run_staged_update(context, *table, *statement, {}, sink, waiting->operation);
  }
  return true;
}

void resume_staged(EngineContext& context, std::int64_t tree_id, std::int64_t op_id,
                   ResultSink& sink) {
  const auto waiting = context.log.take_up(tree_id, op_id);
  if (!waiting) throw_taken_up(tree_id, op_id);
  Operation operation = waiting->operation;
  TablePointer table = context.catalog.table_by_id(operation.table_id);
  operation.schema_version = table->schema_version;
  operation.seen_version = table->version;
  Stage stage = Stage::reopen(context, table, operation);
  StagedPlan plan;
  plan.tag = lower(waiting->kind);
  JobWatch watch(context, operation, true);
  const SpendingScope spending(context.spending(), operation.text());
  try {
    stage.take_media(stage.kept_media(), false, sink);
    stage.compute(stage.kept_plan(), sink);
    ViewStages views(context, operation);
    views.bring_up(stage, stage.kept_media(), sink);
    publish_staged(context, table, stage, views, operation, plan, sink);
  } catch (const Error& caught) {
    if (!context.main.is_alive()) throw;
    const Error error = watch.explain(caught);
    if (error.code() == ErrorCode::kCancelled) {
      stage.drop();
      context.log.fail(operation, end_state(error), error.message());
      throw error;
    }
    leave_waiting(context, operation, error);  // a failed cell, too: its cause can be mended
  }
}

}  // namespace coppice::engine
