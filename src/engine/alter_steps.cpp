#include "engine/alter_steps.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/text.h"
#include "catalog/expressions.h"
#include "catalog/store_ddl.h"
#include "engine/alter_identity.h"
#include "engine/column_definition.h"
#include "engine/statement_tools.h"
#include "engine/view_changes.h"
#include "sql/deparse.h"
#include "sql/keywords.h"
#include "sql/lexer.h"
#include "sql/read.h"

namespace coppice::engine {
namespace {

using catalog::ColumnInfo;
using catalog::ConstraintInfo;
using catalog::TableInfo;
using sql::as;

using Command = PgQuery__AlterTableCmd;

ColumnInfo& find(const Altering& altering, SchemaChange& change, const std::string& name) {
  const ColumnInfo& column =
      column_named(change.table, name, altering.statement, altering.place_of(name));
  return const_cast<ColumnInfo&>(column);  // of change.table, which is ours to alter
}

void add_plain_column(const Altering& altering, SchemaChange& change, const Command& command) {
  TableDraft draft;
  read_column(*as<PgQuery__ColumnDef>(command.def), altering.statement.source(), draft);
  const std::string& name = draft.columns[0].info.name;
  if (change.table.find_column(name) != nullptr) {
    altering.refuse(ErrorCode::kAlreadyExists, name,
                    fmt::format("column \"{}\" of relation \"{}\" already exists", name,
                                change.table.name.name));
  }
  const ColumnInfo column =
      add_column(altering.context, change.table, draft.columns[0], change.version, "live");
  if (column.not_null) {
    altering.context.main.exec(catalog::add_not_null(change.table, column));
  }
  keep_column(altering.context, change.table, column, change.version, "live");
  for (const ConstraintDraft& constraint : draft.constraints) {
    add_drafted_constraint(altering, change, constraint);
  }
}

void drop_store_constraint(EngineContext& context, const SchemaChange& change,
                           const ConstraintInfo& constraint) {
  context.main.exec(catalog::drop_constraint(change.table, constraint));
  context.main.exec_cached("DELETE FROM coppice.constraints WHERE constraint_id = $1",
                           {std::to_string(constraint.id)});
}

bool names(const std::vector<std::int64_t>& ids, const ColumnInfo& column) {
  return std::count(ids.begin(), ids.end(), column.id) > 0;
}

void refuse_to_drop(const Altering& altering, const TableInfo& table, const ColumnInfo& column) {
  for (const ConstraintInfo& constraint : table.constraints) {
    if (constraint.columns.size() < 2 || !names(constraint.columns, column)) continue;
    altering.refuse(ErrorCode::kRefused, column.name,
                    fmt::format("column \"{}\" cannot be dropped: constraint \"{}\" needs it",
                                column.name, constraint.name),
                    "drop the constraint first, or use CASCADE");
  }
}

// DROP only unmaps: older versions keep the column; prune removes what no version maps.
void unmap_column(const Altering& altering, SchemaChange& change, const ColumnInfo& column) {
  pg::Connection& connection = altering.context.main;
  refuse_change_of_read_column(altering.context, change.table, column.id, "drop");
  if (change.table.visible_columns().size() == 1) {
    altering.refuse(ErrorCode::kRefused, column.name,
                    "the last column of a table cannot be dropped", "drop the table");
  }
  if (column.not_null) connection.exec(catalog::drop_not_null(change.table, column));
  std::erase_if(change.table.constraints, [&](const ConstraintInfo& constraint) {
    if (!names(constraint.columns, column)) return false;
    drop_store_constraint(altering.context, change, constraint);
    return true;
  });
  std::erase_if(change.table.indexes, [&](const catalog::IndexInfo& index) {
    if (!names(index.columns, column)) return false;
    connection.exec("DROP INDEX coppice_store." + index.store_name);
    connection.exec_cached("DELETE FROM coppice.indexes WHERE index_id = $1",
                           {std::to_string(index.id)});
    return true;
  });
  connection.exec_cached(
      "UPDATE coppice.columns SET to_version = $3 "
      "WHERE table_id = $1 AND column_id = $2 AND to_version IS NULL",
      {std::to_string(change.table.table_id), std::to_string(column.id),
       std::to_string(change.version)});
  if (column.default_sql || column.sequence) {
    connection.exec(fmt::format("ALTER TABLE {} ALTER {} DROP DEFAULT", change.table.store_table(),
                                column.physical));
  }
  std::erase_if(change.table.columns, [&](const ColumnInfo& c) { return c.id == column.id; });
}

// With CASCADE the columns that are computed from it go too, and the views that would break.
void drop_column(const Altering& altering, SchemaChange& change, const std::string& name,
                 bool cascade) {
  const ColumnInfo column = find(altering, change, name);
  if (!cascade) refuse_to_drop(altering, change.table, column);
  change.drop_views = change.drop_views || cascade;
  for (;;) {
    const auto columns = change.table.visible_columns();
    const auto reader = std::find_if(columns.begin(), columns.end(), [&](const ColumnInfo* other) {
      return other->id != column.id && other->computed() &&
             catalog::columns_read(change.table, *other->expression).contains(name);
    });
    if (reader == columns.end()) break;
    const std::string dependent = (*reader)->name;
    if (!cascade) {
      altering.refuse(
          ErrorCode::kRefused, name,
          fmt::format("column \"{}\" cannot be dropped: computed column \"{}\" reads it", name,
                      dependent),
          fmt::format("drop column \"{}\" first, or use CASCADE", dependent));
    }
    change.notices.push_back(
        fmt::format("drop cascades to column {} of table {}", dependent, change.table.user_name()));
    drop_column(altering, change, dependent, true);
  }
  unmap_column(altering, change, column);
}

void set_default(const Altering& altering, SchemaChange& change, const Command& command) {
  ColumnInfo& column = find(altering, change, command.name);
  const char* kind = column.computed() ? "computed" : column.identity ? "an identity column" : "";
  if (*kind != '\0') {
    altering.refuse(
        ErrorCode::kRefused, column.name,
        fmt::format("column \"{}\" is {} and has no default", column.name, kind),
        fmt::format("use ALTER COLUMN … DROP {}", column.computed() ? "EXPRESSION" : "IDENTITY"));
  }
  column.default_sql.reset();
  if (command.def != nullptr) {
    column.default_sql = sql::deparse_expression(command.def);
    check_default(altering.context, column);
  }
  altering.context.main.exec(
      fmt::format("ALTER TABLE {} ALTER {} {}", change.table.store_table(), column.physical,
                  column.default_sql ? "SET DEFAULT " + *column.default_sql : "DROP DEFAULT"));
  column.sequence.reset();  // of a serial column
  describe_anew(altering.context, change, column);
}

void set_not_null(const Altering& altering, SchemaChange& change, const Command& command,
                  bool not_null) {
  ColumnInfo& column = find(altering, change, command.name);
  if (column.not_null == not_null) return;
  const ConstraintInfo* key = change.table.primary_key();
  if (!not_null && key != nullptr && names(key->columns, column)) {
    altering.refuse(ErrorCode::kRefused, column.name,
                    fmt::format("column \"{}\" is in a primary key", column.name));
  }
  if (!not_null && column.identity) {
    altering.refuse(ErrorCode::kRefused, column.name,
                    fmt::format("column \"{}\" is an identity column", column.name));
  }
  column.not_null = not_null;
  altering.context.main.exec(not_null ? catalog::add_not_null(change.table, column)
                                      : catalog::drop_not_null(change.table, column));
  describe_anew(altering.context, change, column);
}

// SET (on_error = 'ignore'), OPTIONS (SET on_error 'ignore'), RESET (on_error).
void set_options(const Altering& altering, SchemaChange& change, const Command& command,
                 bool reset) {
  ColumnInfo& column = find(altering, change, command.name);
  const auto* list = as<PgQuery__List>(command.def);
  for (sql::Option option : sql::options_in(list->n_items, list->items)) {
    if (reset || option.action == sql::Option::Action::kDrop) {
      option.value = option.name == "on_error" ? "abort" : "auto";
    }
    apply_column_option(column, option, altering.statement.source());
  }
  describe_anew(altering.context, change, column);
}

// The column keeps the values that were computed for it.
void drop_expression(const Altering& altering, SchemaChange& change, const Command& command) {
  ColumnInfo& column = find(altering, change, command.name);
  if (!column.computed()) {
    altering.refuse(ErrorCode::kRefused, column.name,
                    fmt::format("column \"{}\" of relation \"{}\" is not a computed column",
                                column.name, change.table.name.name));
  }
  column.expression.reset();
  column.uses_engine = false;
  column.on_error = catalog::OnError::kAbort;
  describe_anew(altering.context, change, column);
}

void drop_constraint(const Altering& altering, SchemaChange& change, const Command& command) {
  std::vector<std::string> known;
  for (const ConstraintInfo& constraint : change.table.constraints) {
    known.push_back(constraint.name);
  }
  if (std::count(known.begin(), known.end(), command.name) == 0) {
    altering.refuse(ErrorCode::kNotFound, command.name,
                    fmt::format("constraint \"{}\" of relation \"{}\" does not exist", command.name,
                                change.table.name.name),
                    did_you_mean(command.name, known));
  }
  std::erase_if(change.table.constraints, [&](const ConstraintInfo& constraint) {
    if (constraint.name != command.name) return false;
    drop_store_constraint(altering.context, change, constraint);
    return true;
  });
}

bool has_constraint(const TableInfo& table, std::string_view name) {
  return std::any_of(table.constraints.begin(), table.constraints.end(),
                     [&](const ConstraintInfo& constraint) { return constraint.name == name; });
}

}  // namespace

std::ptrdiff_t Altering::place_of(std::string_view name) const {
  sql::Lexer lexer(statement.text());
  std::ptrdiff_t place = -1;
  bool after_table = false;
  for (sql::Token t = lexer.next(); t.kind != sql::TokenKind::kEnd; t = lexer.next()) {
    if (t.kind != sql::TokenKind::kIdentifier && t.kind != sql::TokenKind::kQuotedIdentifier) {
      continue;
    }
    const std::string_view word = lexer.text(t);
    const bool same = word == name || word == sql::quote_identifier(name) ||
                      (t.kind == sql::TokenKind::kIdentifier && lower(word) == name);
    if (same && after_table && place < 0) place = static_cast<std::ptrdiff_t>(t.begin);
    after_table = after_table || word == table.name || word == sql::quote_identifier(table.name) ||
                  lower(word) == table.name;
  }
  return place;
}

void Altering::refuse(ErrorCode code, std::string_view about, const std::string& what,
                      std::string hint) const {
  throw statement.error(code, place_of(about), what, std::move(hint));
}

bool is_settled(const Altering& altering, const TableInfo& table, const Command& command) {
  if (!command.missing_ok) return false;
  std::string what;
  switch (command.subtype) {
    case PG_QUERY__ALTER_TABLE_TYPE__AT_AddColumn: {
      const std::string name = as<PgQuery__ColumnDef>(command.def)->colname;
      if (table.find_column(name) == nullptr) return false;
      what = fmt::format("column \"{}\" of relation \"{}\" already exists", name, table.name.name);
      break;
    }
    case PG_QUERY__ALTER_TABLE_TYPE__AT_DropColumn:
      if (table.find_column(command.name) != nullptr) return false;
      what = fmt::format("column \"{}\" of relation \"{}\" does not exist", command.name,
                         table.name.name);
      break;
    case PG_QUERY__ALTER_TABLE_TYPE__AT_DropConstraint:
      if (has_constraint(table, command.name)) return false;
      what = fmt::format("constraint \"{}\" of relation \"{}\" does not exist", command.name,
                         table.name.name);
      break;
    default: {  // DROP EXPRESSION IF EXISTS, DROP IDENTITY IF EXISTS
      const ColumnInfo* column = table.find_column(command.name);
      const bool expression = command.subtype == PG_QUERY__ALTER_TABLE_TYPE__AT_DropExpression;
      if (column == nullptr) return false;
      if (expression ? column->computed() : column->identity.has_value()) return false;
      what = fmt::format("column \"{}\" of relation \"{}\" is not {}", command.name,
                         table.name.name, expression ? "a computed column" : "an identity column");
    }
  }
  altering.sink.notice(what + ", skipping");
  return true;
}

std::string_view step_kind(const Command& command) {
  switch (command.subtype) {
    case PG_QUERY__ALTER_TABLE_TYPE__AT_AddColumn:
      return "add column";
    case PG_QUERY__ALTER_TABLE_TYPE__AT_DropColumn:
      return "drop column";
    case PG_QUERY__ALTER_TABLE_TYPE__AT_AddConstraint:
      return "add constraint";
    case PG_QUERY__ALTER_TABLE_TYPE__AT_DropConstraint:
      return "drop constraint";
    default:
      return "alter column";
  }
}

// Where a step stands in its statement: its definition, or the column that it is about.
std::ptrdiff_t place_of_step(const Altering& altering, const Command& command) {
  if (const auto* definition = as<PgQuery__ColumnDef>(command.def)) return definition->location;
  if (const auto* constraint = as<PgQuery__Constraint>(command.def)) return constraint->location;
  return altering.place_of(command.name);
}

void run_step(const Altering& altering, SchemaChange& change, const Command& command) {
  change.location = place_of_step(altering, command);
  switch (command.subtype) {
    case PG_QUERY__ALTER_TABLE_TYPE__AT_AddColumn:
      return add_plain_column(altering, change, command);
    case PG_QUERY__ALTER_TABLE_TYPE__AT_DropColumn:
      return drop_column(altering, change, command.name,
                         command.behavior == PG_QUERY__DROP_BEHAVIOR__DROP_CASCADE);
    case PG_QUERY__ALTER_TABLE_TYPE__AT_ColumnDefault:
      return set_default(altering, change, command);
    case PG_QUERY__ALTER_TABLE_TYPE__AT_SetNotNull:
      return set_not_null(altering, change, command, true);
    case PG_QUERY__ALTER_TABLE_TYPE__AT_DropNotNull:
      return set_not_null(altering, change, command, false);
    case PG_QUERY__ALTER_TABLE_TYPE__AT_SetOptions:
    case PG_QUERY__ALTER_TABLE_TYPE__AT_AlterColumnGenericOptions:
      return set_options(altering, change, command, false);
    case PG_QUERY__ALTER_TABLE_TYPE__AT_ResetOptions:
      return set_options(altering, change, command, true);
    case PG_QUERY__ALTER_TABLE_TYPE__AT_DropExpression:
      return drop_expression(altering, change, command);
    case PG_QUERY__ALTER_TABLE_TYPE__AT_AddIdentity:
      return add_identity(altering, change, find(altering, change, command.name), command);
    case PG_QUERY__ALTER_TABLE_TYPE__AT_SetIdentity:
      return set_identity(altering, change, find(altering, change, command.name), command);
    case PG_QUERY__ALTER_TABLE_TYPE__AT_DropIdentity:
      return drop_identity(altering, change, find(altering, change, command.name));
    case PG_QUERY__ALTER_TABLE_TYPE__AT_AddConstraint: {
      TableDraft draft;
      read_table_constraint(*as<PgQuery__Constraint>(command.def), altering.statement.source(),
                            draft);
      return add_drafted_constraint(altering, change, draft.constraints[0]);
    }
    case PG_QUERY__ALTER_TABLE_TYPE__AT_DropConstraint:
      return drop_constraint(altering, change, command);
    default:
      altering.refuse(ErrorCode::kUnsupported, "", "this form of ALTER TABLE is not supported",
                      "supported: ADD/DROP COLUMN, ALTER COLUMN TYPE, SET/DROP DEFAULT, SET/DROP "
                      "NOT NULL, SET (…), DROP EXPRESSION, identity, ADD/DROP CONSTRAINT, RENAME");
  }
}

void add_drafted_constraint(const Altering& altering, SchemaChange& change,
                            const ConstraintDraft& constraint) {
  const bool primary = constraint.kind == catalog::ConstraintKind::kPrimaryKey;
  if (primary && change.table.primary_key() != nullptr) {
    throw altering.statement.error(
        ErrorCode::kAlreadyExists, constraint.location,
        fmt::format("multiple primary keys for table \"{}\" are not allowed",
                    change.table.name.name));
  }
  for (const std::string& name : constraint.columns) {
    ColumnInfo& column = find(altering, change, name);
    if (!primary || column.not_null) continue;
    column.not_null = true;
    altering.context.main.exec(catalog::add_not_null(change.table, column));
    describe_anew(altering.context, change, column);
  }
  add_constraint(altering.context, change.table, constraint);
}

void describe_anew(EngineContext& context, const SchemaChange& change, const ColumnInfo& column) {
  const std::string table = std::to_string(change.table.table_id);
  const std::string id = std::to_string(column.id);
  const std::string version = std::to_string(change.version);
  // A description of this very version is one that an earlier step of the statement made.
  context.main.exec_cached(
      "DELETE FROM coppice.columns WHERE table_id = $1 AND column_id = $2 AND from_version = $3",
      {table, id, version});
  context.main.exec_cached(
      "UPDATE coppice.columns SET to_version = $3 "
      "WHERE table_id = $1 AND column_id = $2 AND to_version IS NULL AND state = 'live'",
      {table, id, version});
  keep_column(context, change.table, column, change.version, "live");
}

}  // namespace coppice::engine
