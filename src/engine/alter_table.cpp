#include "engine/alter_table.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/text.h"
#include "catalog/expressions.h"
#include "catalog/store_ddl.h"
#include "engine/column_definition.h"
#include "engine/fill.h"
#include "engine/rename.h"
#include "engine/schema_change.h"
#include "engine/statement_tools.h"
#include "engine/table_options.h"
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

// One ALTER TABLE statement while it is carried out.
struct Altering {
  EngineContext& context;
  sql::Statement& statement;
  const sql::QualifiedName& table;
  ResultSink& sink;

  std::int64_t change(std::string_view kind, const std::function<void(SchemaChange&)>& work) const {
    return change_schema(context, table, kind, statement.text(), statement.source(), work);
  }
  [[noreturn]] void refuse(ErrorCode code, const std::string& what, std::string hint = {}) const {
    throw statement.error(code, -1, what, std::move(hint));
  }
};

ColumnInfo& find(SchemaChange& change, const Altering& altering, const std::string& name) {
  const ColumnInfo& column = column_named(change.table, name, altering.statement, -1);
  return const_cast<ColumnInfo&>(column);  // of change.table, which is ours to alter
}

// Ends the present description of a column and begins the one in `column`.
void describe_anew(EngineContext& context, const SchemaChange& change, const ColumnInfo& column) {
  context.main.exec_cached(
      "UPDATE coppice.columns SET to_version = $3 "
      "WHERE table_id = $1 AND column_id = $2 AND to_version IS NULL AND state = 'live'",
      {std::to_string(change.table.table_id), std::to_string(column.id),
       std::to_string(change.version)});
  keep_column(context, change.table, column, change.version, "live");
}

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

void add_plain_column(const Altering& altering, const TableDraft& draft) {
  altering.change("add column", [&](SchemaChange& change) {
    pg::Connection& connection = altering.context.main;
    const ColumnInfo column =
        add_column(altering.context, change.table, draft.columns[0], change.version, "live");
    if (column.not_null) connection.exec(catalog::add_not_null(change.table, column));
    keep_column(altering.context, change.table, column, change.version, "live");
    for (const ConstraintDraft& constraint : draft.constraints) {
      add_constraint(altering.context, change.table, constraint);
    }
  });
}

void add_table_column(const Altering& altering, const PgQuery__AlterTableCmd& command) {
  TableDraft draft;
  read_column(*as<PgQuery__ColumnDef>(command.def), altering.statement.source(), draft);
  ColumnDraft& column = draft.columns[0];
  const TablePointer table = altering.context.catalog.table(altering.table);
  if (table->find_column(column.info.name) != nullptr) {
    if (!command.missing_ok) {
      altering.refuse(ErrorCode::kAlreadyExists,
                      fmt::format("column \"{}\" of relation \"{}\" already exists",
                                  column.info.name, table->name.name));
    }
    altering.sink.notice(fmt::format("column \"{}\" of relation \"{}\" already exists, skipping",
                                     column.info.name, table->name.name));
    return;
  }
  if (!column.info.computed() && !is_volatile(altering.context, column)) {
    return add_plain_column(altering, draft);
  }
  if (!column.info.computed()) {
    altering.refuse(ErrorCode::kUnsupported,
                    fmt::format("column \"{}\" would get a different value for each existing row",
                                column.info.name),
                    "add it without the default, UPDATE it, then ALTER COLUMN … SET DEFAULT");
  }
  FillRequest request{altering.table,
                      FillKind::kAddColumn,
                      {column},
                      std::string(altering.statement.text()),
                      altering.statement.source()};
  fill_column(altering.context, request, altering.sink);
  if (draft.constraints.empty()) return;
  altering.change("add constraint", [&](SchemaChange& change) {
    for (const ConstraintDraft& constraint : draft.constraints) {
      add_constraint(altering.context, change.table, constraint);
    }
  });
}

void refuse_if_needed(const Altering& altering, const TableInfo& table, const ColumnInfo& column,
                      bool cascade) {
  for (const ColumnInfo* other : table.visible_columns()) {
    if (other == &column || !other->computed()) continue;
    if (!catalog::columns_read(table, *other->expression).contains(column.name)) continue;
    altering.refuse(ErrorCode::kRefused,
                    fmt::format("column \"{}\" cannot be dropped: computed column \"{}\" reads it",
                                column.name, other->name),
                    fmt::format("drop column \"{}\" first", other->name));
  }
  for (const ConstraintInfo& constraint : table.constraints) {
    const auto& ids = constraint.columns;
    const bool several = ids.size() > 1 && std::count(ids.begin(), ids.end(), column.id) > 0;
    if (!several || cascade) continue;
    altering.refuse(ErrorCode::kRefused,
                    fmt::format("column \"{}\" cannot be dropped: constraint \"{}\" needs it",
                                column.name, constraint.name),
                    "drop the constraint first, or use CASCADE");
  }
}

void drop_store_constraint(EngineContext& context, SchemaChange& change,
                           const ConstraintInfo& constraint) {
  context.main.exec(catalog::drop_constraint(change.table, constraint));
  context.main.exec_cached("DELETE FROM coppice.constraints WHERE constraint_id = $1",
                           {std::to_string(constraint.id)});
}

// DROP only unmaps: older versions keep the column; prune removes what no version maps.
void drop_column(const Altering& altering, const PgQuery__AlterTableCmd& command) {
  const TablePointer now = altering.context.catalog.table(altering.table);
  if (now->find_column(command.name) == nullptr && command.missing_ok) {
    altering.sink.notice(fmt::format("column \"{}\" of relation \"{}\" does not exist, skipping",
                                     command.name, now->name.name));
    return;
  }
  altering.change("drop column", [&](SchemaChange& change) {
    pg::Connection& connection = altering.context.main;
    const ColumnInfo column = find(change, altering, command.name);
    if (change.table.visible_columns().size() == 1) {
      altering.refuse(ErrorCode::kRefused, "the last column of a table cannot be dropped",
                      "drop the table");
    }
    const bool cascade = command.behavior == PG_QUERY__DROP_BEHAVIOR__DROP_CASCADE;
    refuse_if_needed(altering, change.table, *change.table.find_column(column.name), cascade);
    if (column.not_null) connection.exec(catalog::drop_not_null(change.table, column));
    std::erase_if(change.table.constraints, [&](const ConstraintInfo& constraint) {
      const auto& ids = constraint.columns;
      if (std::count(ids.begin(), ids.end(), column.id) == 0) return false;
      drop_store_constraint(altering.context, change, constraint);
      return true;
    });
    for (const catalog::IndexInfo& index : change.table.indexes) {
      if (std::count(index.columns.begin(), index.columns.end(), column.id) == 0) continue;
      connection.exec("DROP INDEX coppice_store." + index.store_name);
      connection.exec_cached("DELETE FROM coppice.indexes WHERE index_id = $1",
                             {std::to_string(index.id)});
    }
    connection.exec_cached(
        "UPDATE coppice.columns SET to_version = $3 "
        "WHERE table_id = $1 AND column_id = $2 AND to_version IS NULL",
        {std::to_string(change.table.table_id), std::to_string(column.id),
         std::to_string(change.version)});
    if (column.default_sql || column.sequence) {
      connection.exec(fmt::format("ALTER TABLE {} ALTER {} DROP DEFAULT",
                                  change.table.store_table(), column.physical));
    }
    std::erase_if(change.table.columns, [&](const ColumnInfo& c) { return c.id == column.id; });
  });
}

void set_default(const Altering& altering, const PgQuery__AlterTableCmd& command) {
  altering.change("alter column", [&](SchemaChange& change) {
    ColumnInfo& column = find(change, altering, command.name);
    if (column.computed()) {
      altering.refuse(ErrorCode::kRefused,
                      fmt::format("column \"{}\" is computed and has no default", column.name));
    }
    column.default_sql.reset();
    if (command.def != nullptr) {
      column.default_sql = sql::deparse_expression(command.def);
      catalog::check_expression_form(*column.default_sql, "default");
    }
    altering.context.main.exec(
        fmt::format("ALTER TABLE {} ALTER {} {}", change.table.store_table(), column.physical,
                    column.default_sql ? "SET DEFAULT " + *column.default_sql : "DROP DEFAULT"));
    describe_anew(altering.context, change, column);
  });
}

void set_not_null(const Altering& altering, const PgQuery__AlterTableCmd& command, bool not_null) {
  altering.change("alter column", [&](SchemaChange& change) {
    ColumnInfo& column = find(change, altering, command.name);
    if (column.not_null == not_null) return;
    const ConstraintInfo* key = change.table.primary_key();
    if (!not_null && key != nullptr &&
        std::count(key->columns.begin(), key->columns.end(), column.id) > 0) {
      altering.refuse(ErrorCode::kRefused,
                      fmt::format("column \"{}\" is in a primary key", column.name));
    }
    column.not_null = not_null;
    altering.context.main.exec(not_null ? catalog::add_not_null(change.table, column)
                                        : catalog::drop_not_null(change.table, column));
    describe_anew(altering.context, change, column);
  });
}

void set_options(const Altering& altering, const PgQuery__AlterTableCmd& command) {
  altering.change("alter column", [&](SchemaChange& change) {
    ColumnInfo& column = find(change, altering, command.name);
    const auto* list = as<PgQuery__List>(command.def);
    for (const sql::Option& option : sql::options_in(list->n_items, list->items)) {
      apply_column_option(column, option, altering.statement.source());
    }
    describe_anew(altering.context, change, column);
  });
}

void alter_type(const Altering& altering, const PgQuery__AlterTableCmd& command) {
  const TablePointer table = altering.context.catalog.table(altering.table);
  const ColumnInfo& column = column_named(*table, command.name, altering.statement, -1);
  if (column.computed()) {
    altering.refuse(
        ErrorCode::kUnsupported,
        fmt::format("the type of computed column \"{}\" follows its expression", column.name),
        "drop the column and add it with the new type");
  }
  for (const ColumnInfo* other : table->visible_columns()) {
    if (!other->computed()) continue;
    if (!catalog::columns_read(*table, *other->expression).contains(column.name)) continue;
    altering.refuse(ErrorCode::kRefused,
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
  FillRequest request{altering.table,
                      FillKind::kChangeType,
                      {draft},
                      std::string(altering.statement.text()),
                      altering.statement.source()};
  fill_column(altering.context, request, altering.sink);
}

void add_table_constraint(const Altering& altering, const PgQuery__AlterTableCmd& command) {
  TableDraft draft;
  read_table_constraint(*as<PgQuery__Constraint>(command.def), altering.statement.source(), draft);
  altering.change("add constraint", [&](SchemaChange& change) {
    ConstraintDraft& constraint = draft.constraints[0];
    const bool primary = constraint.kind == catalog::ConstraintKind::kPrimaryKey;
    if (primary && change.table.primary_key() != nullptr) {
      altering.refuse(
          ErrorCode::kAlreadyExists,
          fmt::format("table \"{}\" has a primary key already", change.table.name.name));
    }
    for (const std::string& name : constraint.columns) {
      ColumnInfo& column = find(change, altering, name);
      if (!primary || column.not_null) continue;
      column.not_null = true;
      altering.context.main.exec(catalog::add_not_null(change.table, column));
      describe_anew(altering.context, change, column);
    }
    add_constraint(altering.context, change.table, constraint);
  });
}

void drop_table_constraint(const Altering& altering, const PgQuery__AlterTableCmd& command) {
  const TablePointer table = altering.context.catalog.table(altering.table);
  std::vector<std::string> names;
  for (const ConstraintInfo& constraint : table->constraints) names.push_back(constraint.name);
  if (std::count(names.begin(), names.end(), command.name) == 0) {
    const std::string what = fmt::format("constraint \"{}\" of relation \"{}\" does not exist",
                                         command.name, table->name.name);
    if (!command.missing_ok) {
      altering.refuse(ErrorCode::kNotFound, what, did_you_mean(command.name, names));
    }
    altering.sink.notice(what + ", skipping");
    return;
  }
  altering.change("drop constraint", [&](SchemaChange& change) {
    std::erase_if(change.table.constraints, [&](const ConstraintInfo& constraint) {
      if (constraint.name != command.name) return false;
      drop_store_constraint(altering.context, change, constraint);
      return true;
    });
  });
}

// ALTER TABLE … SET (retention = '30 days'): no version, nothing that a row shows changes.
void change_table_options(const Altering& altering, const PgQuery__AlterTableCmd& command,
                          bool reset) {
  const auto* list = as<PgQuery__List>(command.def);
  const std::vector<sql::Option> options = sql::options_in(list->n_items, list->items);
  set_table_options(altering.context, *altering.context.catalog.table(altering.table), options,
                    reset, altering.statement.source());
}

void run_command(const Altering& altering, const PgQuery__AlterTableCmd& command) {
  switch (command.subtype) {
    case PG_QUERY__ALTER_TABLE_TYPE__AT_AddColumn:
      return add_table_column(altering, command);
    case PG_QUERY__ALTER_TABLE_TYPE__AT_DropColumn:
      return drop_column(altering, command);
    case PG_QUERY__ALTER_TABLE_TYPE__AT_ColumnDefault:
      return set_default(altering, command);
    case PG_QUERY__ALTER_TABLE_TYPE__AT_SetNotNull:
      return set_not_null(altering, command, true);
    case PG_QUERY__ALTER_TABLE_TYPE__AT_DropNotNull:
      return set_not_null(altering, command, false);
    case PG_QUERY__ALTER_TABLE_TYPE__AT_SetOptions:
      return set_options(altering, command);
    case PG_QUERY__ALTER_TABLE_TYPE__AT_AlterColumnType:
      return alter_type(altering, command);
    case PG_QUERY__ALTER_TABLE_TYPE__AT_AddConstraint:
      return add_table_constraint(altering, command);
    case PG_QUERY__ALTER_TABLE_TYPE__AT_DropConstraint:
      return drop_table_constraint(altering, command);
    case PG_QUERY__ALTER_TABLE_TYPE__AT_SetRelOptions:
      return change_table_options(altering, command, false);
    case PG_QUERY__ALTER_TABLE_TYPE__AT_ResetRelOptions:
      return change_table_options(altering, command, true);
    default:
      altering.refuse(ErrorCode::kUnsupported, "this form of ALTER TABLE is not supported",
                      "supported: ADD/DROP COLUMN, ALTER COLUMN TYPE, SET/DROP DEFAULT, SET/DROP "
                      "NOT NULL, SET (…), ADD/DROP CONSTRAINT, RENAME");
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
  for (sql::Node* node : sql::nodes(alter.n_cmds, alter.cmds)) {
    run_command(altering, *as<PgQuery__AlterTableCmd>(node));
  }
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
  FillRequest request{
      table->name, FillKind::kChangeExpression, {draft}, std::string(statement), {expression, {}}};
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
