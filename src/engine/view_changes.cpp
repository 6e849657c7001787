#include "engine/view_changes.h"

#include <fmt/core.h>

#include "engine/column_definition.h"
#include "engine/table_draft.h"
#include "engine/view_query.h"
#include "sql/deparse.h"
#include "sql/make.h"
#include "sql/read.h"
#include "sql/references.h"

namespace coppice::engine {
namespace {

using catalog::ColumnInfo;
using catalog::TableInfo;
using catalog::TablePointer;
using sql::as;

bool expression_reads(const std::string& expression, const std::string& alias,
                      const std::string& column) {
  sql::Statement parsed = sql::parse_expression(expression);
  for (const auto* reference : sql::collect_column_refs(parsed.node())) {
    const std::vector<std::string> names = sql::column_ref_names(*reference);
    if (names.front() == alias && names.back() == column) return true;
  }
  return false;
}

// The expression with other names for the columns of `alias`.
std::string renamed(const std::string& expression, const std::string& alias,
                    const TableInfo& before, const TableInfo& now) {
  sql::Statement parsed = sql::parse_expression(expression);
  for (PgQuery__ColumnRef* reference : sql::collect_column_refs(parsed.node())) {
    const std::vector<std::string> names = sql::column_ref_names(*reference);
    if (names.front() != alias) continue;
    const ColumnInfo* old = before.find_column(names.back());
    const ColumnInfo* present = old == nullptr ? nullptr : now.column_by_id(old->id);
    if (present == nullptr) continue;
    reference->fields[reference->n_fields - 1] = sql::make::name(parsed.arena(), present->name);
  }
  return sql::deparse_expression(parsed.node());
}

void keep_definition(EngineContext& context, const TableInfo& view, const TableInfo& parent) {
  const catalog::MaterializedInfo& info = *view.view;
  std::optional<std::string> call;
  if (info.iterator) call = info.iterator->call;
  context.main.exec_params(
      "UPDATE coppice.materialized_views SET iterator = $2, condition = $3, definition = $4 "
      "WHERE table_id = $1",
      {std::to_string(view.table_id), call, info.condition, view_query_text(view, parent)});
}

}  // namespace

bool view_reads(const TableInfo& view, const std::string& column) {
  const catalog::MaterializedInfo& info = *view.view;
  if (info.iterator && expression_reads(info.iterator->call, info.parent_alias, column))
    return true;
  if (info.condition && expression_reads(*info.condition, info.parent_alias, column)) return true;
  for (const ColumnInfo& own : view.columns) {
    if (own.derived && expression_reads(*own.derived, info.parent_alias, column)) return true;
  }
  return false;
}

void refuse_change_of_read_column(EngineContext& context, const TableInfo& table,
                                  std::int64_t column_id, std::string_view what) {
  const ColumnInfo* column = table.column_by_id(column_id);
  if (column == nullptr) return;
  for (const std::int64_t id : table.views) {
    const TablePointer view = context.catalog.table_by_id(id);
    if (view == nullptr || !view_reads(*view, column->name)) continue;
    throw Error(ErrorCode::kRefused,
                fmt::format("cannot {} column \"{}\" of {}: materialized view {} reads it", what,
                            column->name, table.user_name(), view->user_name()),
                fmt::format("drop the view first, and make it again afterwards: DROP MATERIALIZED "
                            "VIEW {}",
                            view->user_name()));
  }
}

void rename_in_views(EngineContext& context, const TableInfo& before, const TableInfo& now,
                     std::int64_t version) {
  if (now.view) {
    const TablePointer parent = context.catalog.table_by_id(now.view->parent_id);
    keep_definition(context, now, *parent);
  }
  for (const std::int64_t id : now.views) {
    TableInfo view = *context.catalog.table_by_id(id);
    catalog::MaterializedInfo& info = *view.view;
    const auto change = [&](std::string& expression) {
      const std::string text = renamed(expression, info.parent_alias, before, now);
      const bool other = text != expression;
      expression = text;
      return other;
    };
    if (info.iterator) change(info.iterator->call);
    if (info.condition) change(*info.condition);
    for (ColumnInfo& column : view.columns) {
      if (!column.derived || !change(*column.derived)) continue;
      context.main.exec_cached(
          "UPDATE coppice.columns SET to_version = $3 "
          "WHERE table_id = $1 AND physical = $2 AND to_version IS NULL",
          {std::to_string(view.table_id), column.physical, std::to_string(version)});
      keep_column(context, view, column, version, "live");
    }
    keep_definition(context, view, now);
  }
}

void check_view_step(const Altering& altering, const TableInfo& view,
                     const PgQuery__AlterTableCmd& command) {
  const auto refuse = [&](const std::string& about, const std::string& what) {
    altering.refuse(ErrorCode::kRefused, about,
                    fmt::format("\"{}\" is a materialized view: {}", view.name.name, what),
                    "its query says what its columns are; to change that, drop it and make it "
                    "again");
  };
  const std::string name = command.name == nullptr ? "" : command.name;
  const ColumnInfo* column = view.find_column(name);
  const bool own = column != nullptr && column->computed();
  switch (command.subtype) {
    case PG_QUERY__ALTER_TABLE_TYPE__AT_AddColumn: {
      TableDraft draft;
      read_column(*as<PgQuery__ColumnDef>(command.def), altering.statement.source(), draft);
      const ColumnInfo& added = draft.columns[0].info;
      if (!added.computed()) {
        refuse(added.name, "only computed columns can be added, GENERATED ALWAYS AS (…) STORED");
      }
      if (!draft.constraints.empty()) refuse(added.name, "it has no keys and checks of its own");
      return;
    }
    case PG_QUERY__ALTER_TABLE_TYPE__AT_DropColumn:
      if (column != nullptr && !own) refuse(name, "a column of its query cannot be dropped");
      return;
    case PG_QUERY__ALTER_TABLE_TYPE__AT_SetOptions:
    case PG_QUERY__ALTER_TABLE_TYPE__AT_AlterColumnGenericOptions:
    case PG_QUERY__ALTER_TABLE_TYPE__AT_ResetOptions:
      return;
    case PG_QUERY__ALTER_TABLE_TYPE__AT_SetRelOptions:
    case PG_QUERY__ALTER_TABLE_TYPE__AT_ResetRelOptions:
      refuse("", "retention belongs to the table that it is made from");
      return;
    default:
      refuse(name, "this form of ALTER TABLE is for tables");
  }
}

}  // namespace coppice::engine
