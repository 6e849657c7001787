#include "engine/alter_table.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/text.h"
#include "catalog/expressions.h"
#include "catalog/store_ddl.h"
#include "engine/alter_steps.h"
#include "engine/column_definition.h"
#include "engine/fill.h"
#include "engine/rename.h"
#include "engine/schema_change.h"
#include "engine/statement_tools.h"
#include "engine/table_options.h"
#include "engine/view_changes.h"
#include "exec/binder.h"
#include "sql/classify.h"
#include "sql/deparse.h"
#include "sql/read.h"

namespace coppice::engine {
namespace {

using catalog::ColumnInfo;
using catalog::ConstraintInfo;
using catalog::TableInfo;
using catalog::TablePointer;
using sql::as;

bool is_volatile(EngineContext& context, const ColumnDraft& draft) {
  if (draft.serial || draft.info.identity) return true;
  if (!draft.info.default_sql) return false;
  // now() and the like are STABLE: one value for all rows, evaluated once.
  sql::Statement expression = sql::parse_expression(*draft.info.default_sql);
  bool found = false;
  sql::walk(expression.node(), [&](sql::Message& message) {
    if (const auto* call = as<PgQuery__FuncCall>(message)) {
      const pg::Result row = context.main.exec_cached(
          "SELECT bool_or(provolatile = 'v') FROM pg_proc WHERE proname = $1",
          {sql::function_name(*call).name});
      found = found || row.is_null(0, 0) || row.boolean(0, 0);
    }
    return sql::Visit::kInto;
  });
  return found;
}

// What gives each existing row a value of its own is a fill: an operation by itself.
bool needs_fill(EngineContext& context, const sql::Statement& statement,
                const PgQuery__AlterTableCmd& command) {
  if (command.subtype == PG_QUERY__ALTER_TABLE_TYPE__AT_AlterColumnType) return true;
  if (command.subtype != PG_QUERY__ALTER_TABLE_TYPE__AT_AddColumn) return false;
  TableDraft draft;
  read_column(*as<PgQuery__ColumnDef>(command.def), statement.source(), draft);
  return draft.columns[0].info.computed() || is_volatile(context, draft.columns[0]);
}

void fill_new_column(const Altering& altering, const PgQuery__AlterTableCmd& command) {
  TableDraft draft;
  read_column(*as<PgQuery__ColumnDef>(command.def), altering.statement.source(), draft);
  ColumnDraft& column = draft.columns[0];
  const TablePointer table = altering.context.catalog.table(altering.table);
  if (table->find_column(column.info.name) != nullptr) {
    altering.refuse(ErrorCode::kAlreadyExists, column.info.name,
                    fmt::format("column \"{}\" of relation \"{}\" already exists", column.info.name,
                                table->name.name));
  }
  for (const ConstraintDraft& constraint : draft.constraints) {
    if (constraint.kind != catalog::ConstraintKind::kPrimaryKey) continue;
    column.info.not_null = true;
    if (table->primary_key() == nullptr) continue;
    throw altering.statement.error(
        ErrorCode::kAlreadyExists, constraint.location,
        fmt::format("multiple primary keys for table \"{}\" are not allowed", table->name.name));
  }
  FillRequest request{altering.table,
                      column.info.computed() ? FillKind::kAddColumn : FillKind::kAddDefault,
                      {column},
                      draft.constraints,
                      std::string(altering.statement.text()),
                      altering.statement.source()};
  fill_column(altering.context, request, altering.sink);
}

void refuse_engine_calls(const Altering& altering, const ColumnInfo& column,
                         const PgQuery__ColumnDef& definition) {
  if (!exec::mentions_engine_function(definition.raw_default, altering.context.functions)) return;
  altering.refuse(ErrorCode::kUnsupported, column.name, "USING cannot call an engine function",
                  "add a computed column, and turn it into a plain one: ALTER COLUMN … DROP "
                  "EXPRESSION");
}

void alter_type(const Altering& altering, const PgQuery__AlterTableCmd& command) {
  const TablePointer table = altering.context.catalog.table(altering.table);
  const ColumnInfo& column =
      column_named(*table, command.name, altering.statement, altering.place_of(command.name));
  if (column.computed()) {
    altering.refuse(
        ErrorCode::kUnsupported, column.name,
        fmt::format("the type of computed column \"{}\" follows its expression", column.name),
        "drop the column and add it with the new type");
  }
  for (const ColumnInfo* other : table->visible_columns()) {
    if (!other->computed()) continue;
    if (!catalog::columns_read(*table, *other->expression).contains(column.name)) continue;
    altering.refuse(ErrorCode::kRefused, column.name,
                    fmt::format("cannot alter the type of column \"{}\": computed column \"{}\" "
                                "reads it",
                                column.name, other->name),
                    fmt::format("drop column \"{}\" first", other->name));
  }
  const auto& definition = *as<PgQuery__ColumnDef>(command.def);
  ColumnDraft draft;
  draft.info = column;
  draft.info.type = sql::type_text(*definition.type_name);
  draft.info.not_null = false;
  draft.info.default_sql.reset();
  draft.info.identity.reset();
  draft.info.sequence.reset();
  const std::string quoted = sql::quote_identifier(column.name);
  draft.info.expression =
      definition.raw_default != nullptr
          ? sql::deparse_expression(definition.raw_default)
          : quoted;  // as an assignment: what does not fit fails, and is not cut
  refuse_engine_calls(altering, draft.info, definition);
  FillRequest request{altering.table,
                      FillKind::kChangeType,
                      {draft},
                      {},
                      std::string(altering.statement.text()),
                      altering.statement.source()};
  fill_column(altering.context, request, altering.sink);
}

// ALTER TABLE … SET (retention = '30 days'): no version, nothing that a row shows changes.
void change_table_options(const Altering& altering, const PgQuery__AlterTableCmd& command,
                          bool reset) {
  const auto* list = as<PgQuery__List>(command.def);
  const std::vector<sql::Option> options = sql::options_in(list->n_items, list->items);
  set_table_options(altering.context, *altering.context.catalog.table(altering.table), options,
                    reset, altering.statement.source());
}

bool sets_table_options(const PgQuery__AlterTableCmd& command) {
  return command.subtype == PG_QUERY__ALTER_TABLE_TYPE__AT_SetRelOptions ||
         command.subtype == PG_QUERY__ALTER_TABLE_TYPE__AT_ResetRelOptions;
}

using Commands = std::vector<const PgQuery__AlterTableCmd*>;

// One operation for all of them.
void run_steps(const Altering& altering, const Commands& commands) {
  if (commands.empty()) return;
  const std::string_view kind = commands.size() == 1 ? step_kind(*commands[0]) : "alter table";
  change_schema(
      altering.context, altering.table, kind, altering.statement.text(),
      altering.statement.source(),
      [&](SchemaChange& change) {
        for (const auto* command : commands) run_step(altering, change, *command);
      },
      &altering.sink);
}

void run_fill(const Altering& altering, const PgQuery__AlterTableCmd& command) {
  if (command.subtype == PG_QUERY__ALTER_TABLE_TYPE__AT_AlterColumnType) {
    return alter_type(altering, command);
  }
  fill_new_column(altering, command);
}

// In their order; between fills all that only changes the description is one operation.
void run_commands(const Altering& altering, const Commands& commands) {
  Commands waiting;
  std::size_t done = 0;
  try {
    for (const auto* command : commands) {
      const bool options = sets_table_options(*command);
      if (!options && !needs_fill(altering.context, altering.statement, *command)) {
        waiting.push_back(command);
        continue;
      }
      run_steps(altering, waiting);
      done += waiting.size();
      waiting.clear();
      if (options) {
        change_table_options(altering, *command,
                             command->subtype == PG_QUERY__ALTER_TABLE_TYPE__AT_ResetRelOptions);
      } else {
        run_fill(altering, *command);
      }
      ++done;
    }
    run_steps(altering, waiting);
  } catch (const Error& error) {
    if (done == 0) throw;
    throw Error(error.code(),
                fmt::format("{}; {} of the {} changes before it {} done", error.message(), done,
                            commands.size(), done == 1 ? "was" : "were"),
                error.hint());
  }
}

}  // namespace

void alter_table(EngineContext& context, sql::Statement& statement, ResultSink& sink) {
  if (as<PgQuery__RenameStmt>(statement.node()) != nullptr) {
    return rename_object(context, statement, sink);
  }
  const auto& alter = *as<PgQuery__AlterTableStmt>(statement.node());
  const sql::QualifiedName name = sql::relation_name(*alter.relation);
  if (context.catalog.find_table(name) == nullptr && alter.missing_ok) {
    sink.notice(fmt::format("relation \"{}\" does not exist, skipping", name.name));
    return sink.done("ALTER TABLE", std::nullopt);
  }
  const TablePointer table = target_table(context, statement, *alter.relation);
  const Altering altering{context, statement, table->name, sink};
  Commands commands;
  for (sql::Node* node : sql::nodes(alter.n_cmds, alter.cmds)) {
    const auto* command = as<PgQuery__AlterTableCmd>(node);
    if (table->view) check_view_step(altering, *table, *command);
    if (!is_settled(altering, *table, *command)) commands.push_back(command);
  }
  run_commands(altering, commands);
  sink.done("ALTER TABLE", context.catalog.table(table->name)->version);
}

std::int64_t change_expression(EngineContext& context, const sql::QualifiedName& table_name,
                               const std::string& column_name, const std::string& expression,
                               std::string_view statement, ResultSink& sink) {
  const TablePointer table = context.catalog.table(table_name);
  const ColumnInfo* column = table->find_column(column_name);
  if (column == nullptr) {
    std::vector<std::string> names;
    for (const ColumnInfo* known : table->visible_columns()) names.push_back(known->name);
    throw Error(ErrorCode::kNotFound,
                fmt::format("column \"{}\" of relation \"{}\" does not exist", column_name,
                            table->name.name),
                did_you_mean(column_name, names));
  }
  if (!column->computed()) {
    throw Error(ErrorCode::kUnsupported,
                fmt::format("column \"{}\" is not computed and has no expression", column_name),
                "drop it and add it as GENERATED ALWAYS AS (…) STORED");
  }
  ColumnDraft draft;
  draft.info = *column;
  sql::Statement parsed = sql::parse_expression(expression);
  draft.info.expression = sql::deparse_expression(parsed.node());
  catalog::check_expression_form(*draft.info.expression, "computed column");
  FillRequest request{table->name, FillKind::kChangeExpression, {draft},
                      {},          std::string(statement),      {expression, {}}};
  // What is computed from it follows, in the same operation.
  for (const ColumnInfo* dependent : affected_columns(*table, {column_name})) {
    if (dependent == column) continue;
    ColumnDraft again;
    again.info = *dependent;
    request.columns.push_back(again);
  }
  return fill_column(context, request, sink);
}

void alter_column(EngineContext& context, const std::string& column, const std::string& expression,
                  ResultSink& sink) {
  const sql::ColumnName name = sql::parse_column_name(column);
  const std::string statement = fmt::format("coppice alter-column {} '{}'", column, expression);
  const std::int64_t version =
      change_expression(context, name.table, name.column, expression, statement, sink);
  sink.done("ALTER COLUMN", version);
}

}  // namespace coppice::engine
