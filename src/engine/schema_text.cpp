#include "engine/schema_text.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/text.h"
#include "engine/statement_tools.h"

namespace coppice::engine {
namespace {

using catalog::ColumnInfo;
using catalog::ConstraintKind;

constexpr std::size_t kWidestAlignedName = 20;

std::string type_with_options(const ColumnDraft& column) {
  std::string text = column.info.type;
  if (column.serial) {
    text = text == "smallint" ? "smallserial" : text == "integer" ? "serial" : "bigserial";
  }
  std::vector<std::string> options;
  if (column.info.on_error == catalog::OnError::kIgnore) options.push_back("on_error 'ignore'");
  if (column.info.backup != "auto") {
    options.push_back("backup " + sql::quote_literal(column.info.backup));
  }
  if (column.info.references != "auto") {
    options.push_back("references " + sql::quote_literal(column.info.references));
  }
  return options.empty() ? text : fmt::format("{} OPTIONS ({})", text, join(options, ", "));
}

std::string unique_text(const ConstraintDraft& constraint) {
  return constraint.nulls_distinct ? "UNIQUE" : "UNIQUE NULLS NOT DISTINCT";
}

// The constraint without its name.
std::string constraint_body(const ConstraintDraft& constraint) {
  switch (constraint.kind) {
    case ConstraintKind::kPrimaryKey:
      return fmt::format("PRIMARY KEY ({})", identifier_list(constraint.columns));
    case ConstraintKind::kUnique:
      return fmt::format("{} ({})", unique_text(constraint), identifier_list(constraint.columns));
    case ConstraintKind::kCheck:
      return fmt::format("CHECK ({})", *constraint.expression);
  }
  return {};
}

// Whether PostgreSQL would choose this name at the only column it is about.
bool belongs_to_column(const TableModel& table, const ConstraintDraft& constraint) {
  if (constraint.columns.size() != 1) return false;
  ConstraintDraft unnamed = constraint;
  unnamed.name.clear();
  return constraint.name.empty() ||
         constraint.name == constraint_name(table.name.name, unnamed, {});
}

std::string text_at_column(const ConstraintDraft& constraint) {
  switch (constraint.kind) {
    case ConstraintKind::kPrimaryKey:
      return "PRIMARY KEY";
    case ConstraintKind::kUnique:
      return unique_text(constraint);
    case ConstraintKind::kCheck:
      return constraint_body(constraint);
  }
  return {};
}

bool is_key(const TableModel& table, const std::string& column) {
  return std::any_of(table.draft.constraints.begin(), table.draft.constraints.end(),
                     [&](const ConstraintDraft& constraint) {
                       const auto& names = constraint.columns;
                       return constraint.kind == ConstraintKind::kPrimaryKey &&
                              std::count(names.begin(), names.end(), column) > 0;
                     });
}

std::string value_source(const ColumnDraft& draft) {
  const catalog::ColumnInfo& column = draft.info;
  if (column.computed()) return fmt::format(" GENERATED ALWAYS AS ({}) STORED", *column.expression);
  if (column.identity) return " " + identity_text(draft);
  if (column.default_sql) return " DEFAULT " + *column.default_sql;
  return {};
}

std::string aligned(const std::string& name, std::size_t width) {
  std::string text = name;
  if (text.size() < width) text.resize(width, ' ');
  return text + " ";
}

std::string statement_line(const std::string& statement) { return statement + ";\n"; }

std::string function_statements(const FunctionModel& function) {
  std::string text = "\n" + statement_line(function.text);
  if (function.comment) {
    text += statement_line(comment_text("FUNCTION " + function.reference, function.comment));
  }
  return text;
}

std::string table_statements(const TableModel& table) {
  const std::string name = shown_name(table.name);
  std::string text =
      statement_line(table.query ? create_materialized_text(table) : create_table_text(table));
  if (table.query) {
    for (const ColumnDraft& column : table.draft.columns) {
      text +=
          statement_line(fmt::format("ALTER TABLE {} ADD COLUMN {}", name, column_text(column)));
    }
  }
  if (table.retention) text += statement_line(retention_text(table.name, *table.retention));
  for (const IndexModel& index : table.indexes) {
    text += statement_line(create_index_text(table.name, index));
  }
  if (table.comment) text += statement_line(comment_text("TABLE " + name, table.comment));
  for (const ColumnDraft& column : table.draft.columns) {
    if (!column.info.comment) continue;
    text += statement_line(
        comment_text("COLUMN " + shown_column(table.name, column.info.name), column.info.comment));
  }
  return text;
}

}  // namespace

std::string shown_name(const sql::QualifiedName& name) {
  return name.schema == "public" ? sql::quote_identifier(name.name) : name.text();
}

std::string shown_column(const sql::QualifiedName& table, const std::string& column) {
  return shown_name(table) + "." + sql::quote_identifier(column);
}

std::string identity_text(const ColumnDraft& column) {
  const std::string text = fmt::format("GENERATED {} AS IDENTITY",
                                       *column.info.identity == "always" ? "ALWAYS" : "BY DEFAULT");
  if (column.sequence_options.empty()) return text;
  return fmt::format("{} ({})", text, column.sequence_options.substr(1));
}

std::string column_text(const ColumnDraft& column, bool with_not_null) {
  std::string text = fmt::format("{} {}{}", sql::quote_identifier(column.info.name),
                                 type_with_options(column), value_source(column));
  // serial and identity imply it.
  const bool implied = column.serial || column.info.identity;
  if (column.info.not_null && with_not_null && !implied) text += " NOT NULL";
  return text;
}

std::string constraint_text(const ConstraintDraft& constraint) {
  const std::string body = constraint_body(constraint);
  if (constraint.name.empty()) return body;
  return fmt::format("CONSTRAINT {} {}", sql::quote_identifier(constraint.name), body);
}

std::string create_table_text(const TableModel& table) {
  std::size_t width = 0;
  for (const ColumnDraft& column : table.draft.columns) {
    const std::size_t size = sql::quote_identifier(column.info.name).size();
    if (size <= kWidestAlignedName) width = std::max(width, size);
  }
  std::vector<std::string> lines;
  std::vector<const ConstraintDraft*> written;
  for (const ColumnDraft& column : table.draft.columns) {
    const std::string name = sql::quote_identifier(column.info.name);
    std::string line = column_text(column, !is_key(table, column.info.name));
    line = aligned(name, width) + line.substr(name.size() + 1);
    for (const ConstraintDraft& constraint : table.draft.constraints) {
      if (!belongs_to_column(table, constraint)) continue;
      if (constraint.columns[0] != column.info.name) continue;
      line += " " + text_at_column(constraint);
      written.push_back(&constraint);
    }
    lines.push_back(std::move(line));
  }
  for (const ConstraintDraft& constraint : table.draft.constraints) {
    const bool done = std::count(written.begin(), written.end(), &constraint) > 0;
    if (!done) lines.push_back(constraint_text(constraint));
  }
  return fmt::format("CREATE TABLE {} (\n  {}\n)", shown_name(table.name), join(lines, ",\n  "));
}

std::string create_materialized_text(const TableModel& view) {
  return fmt::format("CREATE MATERIALIZED VIEW {} AS\n  {}", shown_name(view.name), *view.query);
}

std::string create_index_text(const sql::QualifiedName& table, const IndexModel& index) {
  sql::Statement statement = sql::parse_statement(index.definition);
  return index_definition(statement, table, index.name);
}

std::string create_view_text(const ViewModel& view, bool replace) {
  const std::string columns =
      view.columns.empty() ? "" : fmt::format(" ({})", identifier_list(view.columns));
  return fmt::format("CREATE {}VIEW {}{} AS\n  {}", replace ? "OR REPLACE " : "",
                     shown_name(view.name), columns, view.definition);
}

std::string grant_text(const GrantModel& grant, bool revoke) {
  const std::string column =
      grant.column.empty() ? "" : fmt::format(" ({})", sql::quote_identifier(grant.column));
  const std::string object = grant.on_schema ? "SCHEMA " + sql::quote_identifier(grant.object.name)
                                             : shown_name(grant.object);
  const std::string role = grant.grantee.empty() ? "PUBLIC" : sql::quote_identifier(grant.grantee);
  const std::string right = grant.on_schema ? "USAGE" : "SELECT" + column;
  if (revoke) return fmt::format("REVOKE {} ON {} FROM {}", right, object, role);
  return fmt::format("GRANT {} ON {} TO {}{}", right, object, role,
                     grant.with_grant_option ? " WITH GRANT OPTION" : "");
}

std::string comment_text(const std::string& what, const std::optional<std::string>& comment) {
  return fmt::format("COMMENT ON {} IS {}", what, comment ? sql::quote_literal(*comment) : "NULL");
}

std::string retention_text(const sql::QualifiedName& table, const std::string& retention) {
  return fmt::format("ALTER TABLE {} SET (retention = {})", shown_name(table),
                     sql::quote_literal(retention));
}

std::string schema_text(const SchemaModel& schema) {
  std::string text =
      "-- The schema of a Coppice home, written by: coppice schema dump\n"
      "-- To make it in another home: coppice apply FILE\n";
  if (!schema.schemas.empty()) text += "\n";
  for (const NamedSchema& named : schema.schemas) {
    const std::string name = sql::quote_identifier(named.name);
    text += statement_line("CREATE SCHEMA " + name);
    if (named.comment) text += statement_line(comment_text("SCHEMA " + name, named.comment));
  }
  for (const FunctionModel& function : schema.functions) {
    if (!function.after_views) text += function_statements(function);
  }
  for (const TableModel& table : schema.tables) text += "\n" + table_statements(table);
  for (const ViewModel& view : schema.views) {
    text += "\n" + statement_line(create_view_text(view, false));
    if (!view.comment) continue;
    text += statement_line(comment_text("VIEW " + shown_name(view.name), view.comment));
  }
  for (const FunctionModel& function : schema.functions) {
    if (function.after_views) text += function_statements(function);
  }
  if (!schema.grants.empty()) text += "\n";
  for (const GrantModel& grant : schema.grants) text += statement_line(grant_text(grant, false));
  return text;
}

}  // namespace coppice::engine
