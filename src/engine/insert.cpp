#include "engine/insert.h"

#include <fmt/core.h>

#include <algorithm>

#include "engine/bound_expression.h"
#include "engine/emit.h"
#include "engine/statement_tools.h"
#include "engine/write_scope.h"
#include "exec/binder.h"
#include "exec/described_relations.h"
#include "exec/kinds.h"
#include "sql/deparse.h"
#include "sql/make.h"
#include "sql/read.h"

namespace coppice::engine {
namespace {

using catalog::ColumnInfo;
using catalog::TableInfo;
using sql::as;

bool is_default(const sql::Node* node) {
  return node != nullptr && node->node_case == PG_QUERY__NODE__NODE_SET_TO_DEFAULT;
}

// The rows of INSERT … VALUES; empty when the source is a query.
std::vector<PgQuery__List*> values_rows(PgQuery__InsertStmt& insert) {
  std::vector<PgQuery__List*> rows;
  auto* select = as<PgQuery__SelectStmt>(insert.select_stmt);
  if (select == nullptr) return rows;
  for (sql::Node* row : sql::nodes(select->n_values_lists, select->values_lists)) {
    rows.push_back(as<PgQuery__List>(row));
  }
  return rows;
}

// How many columns the source query gives.
std::size_t source_width(EngineContext& context, PgQuery__InsertStmt& insert) {
  const auto rows = values_rows(insert);
  if (!rows.empty()) return rows.front()->n_items;
  if (insert.select_stmt == nullptr) return 0;  // DEFAULT VALUES
  if (exec::mentions_engine_function(insert.select_stmt, context.functions)) {
    CatalogKinds catalog_kinds(context);
    exec::DescribedRelations relations(catalog_kinds, context.main);
    const auto columns = exec::columns_of(*as<PgQuery__SelectStmt>(insert.select_stmt), nullptr,
                                          {context.functions, relations});
    if (columns) return columns->size();
    throw Error(ErrorCode::kUnsupported, "the columns that * stands for are not known here",
                "write out the columns");
  }
  return context.main.describe(sql::deparse(insert.select_stmt)).columns.size();
}

void check_given(const ColumnInfo& column, std::size_t index,
                 const std::vector<PgQuery__List*>& rows, const PgQuery__InsertStmt& insert,
                 const sql::Statement& statement) {
  const bool all_default = !rows.empty() && std::all_of(rows.begin(), rows.end(), [&](auto* row) {
    return index < row->n_items && is_default(row->items[index]);
  });
  if (all_default) return;
  if (column.computed()) {
    throw statement.error(ErrorCode::kRefused, -1,
                          fmt::format("cannot insert a non-DEFAULT value into column \"{}\": it is "
                                      "a computed column",
                                      column.name),
                          "leave it out, or write DEFAULT");
  }
  const bool overriding = insert.override == PG_QUERY__OVERRIDING_KIND__OVERRIDING_SYSTEM_VALUE;
  if (column.identity == "always" && !overriding) {
    throw statement.error(
        ErrorCode::kRefused, -1,
        fmt::format(
            "cannot insert a non-DEFAULT value into column \"{}\": it is an identity column "
            "defined as GENERATED ALWAYS",
            column.name),
        "leave it out, or use OVERRIDING SYSTEM VALUE");
  }
}

void remove_value(std::vector<PgQuery__List*>& rows, std::size_t index) {
  for (PgQuery__List* row : rows) {
    if (index >= row->n_items) continue;
    std::move(row->items + index + 1, row->items + row->n_items, row->items + index);
    --row->n_items;
  }
}

// ON CONFLICT (id): the index holds current rows only, and inference must be told so.
void restrict_inference(const TableInfo& table, PgQuery__OnConflictClause& clause,
                        sql::Statement& statement) {
  sql::Arena& arena = statement.arena();
  if (clause.infer == nullptr) return;
  PgQuery__InferClause& infer = *clause.infer;
  if (infer.conname != nullptr && *infer.conname != '\0') {
    const catalog::ConstraintInfo* found = nullptr;
    for (const catalog::ConstraintInfo& constraint : table.constraints) {
      if (constraint.name == infer.conname) found = &constraint;
    }
    if (found == nullptr || found->kind == catalog::ConstraintKind::kCheck) {
      throw statement.error(ErrorCode::kNotFound, infer.location,
                            fmt::format("constraint \"{}\" for table \"{}\" does not exist",
                                        infer.conname, table.name.name));
    }
    std::vector<sql::Node*> elements;
    for (const std::int64_t id : found->columns) {
      auto* element = arena.allocate_array<PgQuery__IndexElem>(1);
      pg_query__index_elem__init(element);
      element->name = arena.copy(table.column_by_id(id)->name);
      element->ordering = PG_QUERY__SORT_BY_DIR__SORTBY_DEFAULT;
      element->nulls_ordering = PG_QUERY__SORT_BY_NULLS__SORTBY_NULLS_DEFAULT;
      elements.push_back(sql::make::wrap(arena, element));
    }
    sql::make::set_list(arena, elements, infer.n_index_elems, infer.index_elems);
    infer.conname = nullptr;
  }
  sql::Statement current = sql::parse_expression(fmt::format("_to = {}", catalog::kCurrentText));
  sql::Node* condition = sql::clone(arena, current.node());
  if (infer.where_clause != nullptr) {
    sql::Node* const both[] = {infer.where_clause, condition};
    condition = sql::make::and_of(arena, both);
  }
  infer.where_clause = condition;
}

}  // namespace

std::vector<const ColumnInfo*> prepare_insert_columns(EngineContext& context,
                                                      const TableInfo& table,
                                                      sql::Statement& statement) {
  auto& insert = *as<PgQuery__InsertStmt>(statement.node());
  const auto* conflict = insert.on_conflict_clause;
  if (conflict != nullptr && conflict->infer == nullptr &&
      conflict->action == PG_QUERY__ON_CONFLICT_ACTION__ONCONFLICT_UPDATE) {
    throw statement.error(ErrorCode::kSyntax, conflict->location,
                          "ON CONFLICT DO UPDATE requires inference specification or constraint "
                          "name",
                          "for example, ON CONFLICT (column_name)");
  }
  // WITH x … INSERT INTO t SELECT … is INSERT INTO t WITH x … SELECT ….
  auto* select = as<PgQuery__SelectStmt>(insert.select_stmt);
  if (insert.with_clause != nullptr && select != nullptr && select->with_clause == nullptr) {
    select->with_clause = insert.with_clause;
    insert.with_clause = nullptr;
  }
  std::vector<PgQuery__List*> rows = values_rows(insert);
  std::vector<const ColumnInfo*> columns;
  for (sql::Node* node : sql::nodes(insert.n_cols, insert.cols)) {
    const auto* target = as<PgQuery__ResTarget>(node);
    const ColumnInfo& column = column_named(table, target->name, statement, target->location);
    if (std::find(columns.begin(), columns.end(), &column) != columns.end()) {
      throw statement.error(ErrorCode::kSyntax, target->location,
                            fmt::format("column \"{}\" specified more than once", column.name));
    }
    columns.push_back(&column);
  }
  const std::size_t width = source_width(context, insert);
  if (columns.empty() && width > 0) {
    // As PostgreSQL: the first columns of the table; computed ones only where the row is as long
    // as the whole table, and then they must be DEFAULT.
    const std::vector<const ColumnInfo*> visible = table.visible_columns();
    std::vector<const ColumnInfo*> plain;
    for (const ColumnInfo* column : visible) {
      if (!column->computed()) plain.push_back(column);
    }
    columns = width <= plain.size() ? plain : visible;
    if (width > columns.size()) {
      throw statement.error(
          ErrorCode::kSyntax, insert.relation->location,
          fmt::format("INSERT has more expressions than target columns: {} values, "
                      "but table \"{}\" has {} columns",
                      width, table.name.name, plain.size()));
    }
    columns.resize(width);
  }
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (rows[i]->n_items == columns.size()) continue;
    throw statement.error(ErrorCode::kSyntax, insert.relation->location,
                          fmt::format("row {} of the VALUES list has {} values, expected {}", i + 1,
                                      rows[i]->n_items, columns.size()));
  }
  for (std::size_t i = columns.size(); i-- > 0;) {
    if (!columns[i]->computed() && !columns[i]->identity) continue;
    check_given(*columns[i], i, rows, insert, statement);
    if (!columns[i]->computed()) continue;
    remove_value(rows, i);
    columns.erase(columns.begin() + static_cast<std::ptrdiff_t>(i));
  }
  insert.override = PG_QUERY__OVERRIDING_KIND__OVERRIDING_NOT_SET;
  return columns;
}

void DirectInsert::plan(EngineContext& context, const TableInfo& table) {
  sql::Statement statement = sql::parse_statement(text_);
  values_ = bind_parameters(statement, parameters_);
  resolve_versions(context, statement);
  qualify_media_types(sql::message_of(statement.node()), statement.arena());
  auto& insert = *as<PgQuery__InsertStmt>(statement.node());
  const auto columns = prepare_insert_columns(context, table, statement);
  std::vector<sql::Node*> targets;
  for (const ColumnInfo* column : columns) {
    targets.push_back(sql::make::target(statement.arena(), nullptr, column->name));
  }
  sql::make::set_list(statement.arena(), targets, insert.n_cols, insert.cols);
  if (insert.on_conflict_clause != nullptr) {
    restrict_inference(table, *insert.on_conflict_clause, statement);
  }
  returns_rows_ = insert.n_returning_list > 0;
  if (returns_rows_) {
    WriteScope scope(context, table, std::string(sql::relation_alias(*insert.relation)), statement);
    scope.write_out_returning(insert.n_returning_list, insert.returning_list,
                              [](sql::Node* expression) { return expression; });
  }
  use_working_view(table, *insert.relation, statement.arena());
  planned_ = sql::deparse(statement.node());
}

void DirectInsert::write(EngineContext& context, const catalog::Operation&,
                         const std::vector<std::int64_t>&, catalog::RowCounts& counts) {
  // Literals make each statement another one: only with parameters does it pay to keep it.
  returned_ = values_.empty() ? context.main.exec_params(planned_, values_)
                              : context.main.exec_cached(planned_, values_);
  counts.inserted = static_cast<std::int64_t>(returned_->affected_rows());
}

void DirectInsert::emit(EngineContext& context, ResultSink& sink) {
  if (returns_rows_) emit_result(context, *returned_, sink);
}

}  // namespace coppice::engine
