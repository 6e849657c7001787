#include "engine/rename.h"

#include <fmt/core.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "catalog/expressions.h"
#include "catalog/store_ddl.h"
#include "engine/column_definition.h"
#include "engine/schema_change.h"
#include "engine/statement_tools.h"
#include "engine/stored_index.h"
#include "engine/view_changes.h"
#include "engine/view_text.h"
#include "sql/deparse.h"
#include "sql/make.h"
#include "sql/read.h"

namespace coppice::engine {
namespace {

using catalog::ColumnInfo;
using catalog::TableInfo;
using catalog::TablePointer;
using sql::as;

// An expression over `table` in which a column is called by its new name.
std::string with_new_name(const TableInfo& table, const std::string& expression,
                          const std::string& old_name, const std::string& new_name) {
  sql::Statement parsed = sql::parse_expression(expression);
  sql::walk(parsed.node(), [&](sql::Message& message) {
    auto* reference = as<PgQuery__ColumnRef>(message);
    if (reference == nullptr || reference->n_fields == 0) return sql::Visit::kInto;
    sql::Node*& last = reference->fields[reference->n_fields - 1];
    const auto* name = as<PgQuery__String>(last);
    if (name != nullptr && old_name == name->sval) last = sql::make::name(parsed.arena(), new_name);
    return sql::Visit::kSkip;
  });
  (void)table;
  return sql::deparse_expression(parsed.node());
}

void keep_description(EngineContext& context, const SchemaChange& change,
                      const ColumnInfo& column) {
  context.main.exec_cached(
      "UPDATE coppice.columns SET to_version = $3 "
      "WHERE table_id = $1 AND physical = $2 AND to_version IS NULL",
      {std::to_string(change.table.table_id), column.physical, std::to_string(change.version)});
  keep_column(context, change.table, column, change.version, "live");
}

// From PostgreSQL's own index: in the old text the name may come to mean another column.
void renew_index_texts(EngineContext& context, const TableInfo& before, const TableInfo& now,
                       const std::string& old_name) {
  const std::int64_t id = before.find_column(old_name)->id;
  for (const catalog::IndexInfo& index : now.indexes) {
    if (std::count(index.columns.begin(), index.columns.end(), id) == 0) continue;
    context.main.exec_params(
        "UPDATE coppice.indexes SET definition = $2 WHERE index_id = $1",
        {std::to_string(index.id), servers_index_definition(context, now, index)});
  }
}

void rename_column(EngineContext& context, sql::Statement& statement,
                   const PgQuery__RenameStmt& rename, ResultSink& sink) {
  const TablePointer table = target_table(context, statement, *rename.relation);
  const std::string old_name = rename.subname;
  const std::string new_name = rename.newname;
  refuse_reserved_name(new_name, statement.source(), -1);
  const std::int64_t version = change_schema(
      context, table->name, "rename column", statement.text(), statement.source(),
      [&](SchemaChange& change) {
        if (change.table.find_column(old_name) == nullptr) {
          std::vector<std::string> names;
          for (const ColumnInfo* known : change.table.visible_columns())
            names.push_back(known->name);
          throw statement.error(ErrorCode::kNotFound, -1,
                                fmt::format("column \"{}\" does not exist", old_name),
                                did_you_mean(old_name, names));
        }
        if (change.table.find_column(new_name) != nullptr) {
          throw statement.error(ErrorCode::kAlreadyExists, -1,
                                fmt::format("column \"{}\" of relation \"{}\" already exists",
                                            new_name, change.table.name.name));
        }
        const TableInfo before = change.table;
        for (ColumnInfo& column : change.table.columns) {
          if (column.filling) {
            throw Error(ErrorCode::kBusy, fmt::format("column \"{}\" is being filled", column.name),
                        "wait for it: coppice jobs");
          }
          bool changed = column.name == old_name;
          if (changed) column.name = new_name;
          if (column.computed() &&
              catalog::columns_read(before, *column.expression).contains(old_name)) {
            column.expression = with_new_name(before, *column.expression, old_name, new_name);
            changed = true;
          }
          if (changed) keep_description(context, change, column);
        }
        for (catalog::ConstraintInfo& constraint : change.table.constraints) {
          if (!constraint.expression) continue;
          constraint.expression = with_new_name(before, *constraint.expression, old_name, new_name);
          context.main.exec_cached(
              "UPDATE coppice.constraints SET expression = $2 WHERE constraint_id = $1",
              {std::to_string(constraint.id), constraint.expression});
        }
        renew_index_texts(context, before, change.table, old_name);
        rename_in_views(context, before, change.table, change.version);
      });
  sink.done("ALTER TABLE", version);
}

// Renames and moves touch the user's view and the catalog only: the store has names of its own.
void rename_table(EngineContext& context, sql::Statement& statement, const TablePointer& table,
                  const std::string& new_name, ResultSink& sink) {
  const std::int64_t version = change_schema(
      context, table->name, "rename table", statement.text(), statement.source(),
      [&](SchemaChange& change) {
        context.main.exec(fmt::format("ALTER VIEW {} RENAME TO {}", change.table.user_name(),
                                      sql::quote_identifier(new_name)));
        context.main.exec_cached("UPDATE coppice.tables SET table_name = $2 WHERE table_id = $1",
                                 {std::to_string(change.table.table_id), new_name});
        const TableInfo before = change.table;
        change.table.name.name = new_name;
        rename_in_views(context, before, change.table, change.version);
      });
  sink.done("ALTER TABLE", version);
}

void rename_constraint(EngineContext& context, sql::Statement& statement,
                       const PgQuery__RenameStmt& rename, ResultSink& sink) {
  const TablePointer table = target_table(context, statement, *rename.relation);
  for (const catalog::ConstraintInfo& other : table->constraints) {
    if (other.name != rename.newname) continue;
    throw statement.error(ErrorCode::kAlreadyExists, -1,
                          fmt::format("constraint \"{}\" for relation \"{}\" already exists",
                                      rename.newname, table->name.name));
  }
  const pg::Result renamed = context.main.exec_params(
      "UPDATE coppice.constraints SET name = $3 WHERE table_id = $1 AND name = $2",
      {std::to_string(table->table_id), rename.subname, rename.newname});
  if (renamed.affected_rows() == 0) {
    throw statement.error(ErrorCode::kNotFound, -1,
                          fmt::format("constraint \"{}\" for table \"{}\" does not exist",
                                      rename.subname, table->name.name));
  }
  context.forget_catalog();
  sink.done("ALTER TABLE", std::nullopt);
}

void rename_view(EngineContext& context, const sql::QualifiedName& name,
                 const std::string& new_name, std::string_view tag, ResultSink& sink) {
  const auto view = context.catalog.find_view(name);
  if (view == nullptr) context.catalog.throw_unknown_table(name);
  alter_in_transaction(context, [&] {
    context.main.exec(fmt::format("ALTER VIEW {} RENAME TO {}", view->name.text(),
                                  sql::quote_identifier(new_name)));
    context.main.exec_cached("UPDATE coppice.views SET view_name = $2 WHERE view_id = $1",
                             {std::to_string(view->view_id), new_name});
    renew_view_texts(context, sql::QualifiedName{view->name.schema, new_name}.text(),
                     TextChange::kNames);
  });
  context.forget_catalog();
  sink.done(tag, std::nullopt);
}

void rename_view_column(EngineContext& context, sql::Statement& statement,
                        const PgQuery__RenameStmt& rename, ResultSink& sink) {
  const auto view = context.catalog.find_view(sql::relation_name(*rename.relation));
  const std::string name = view->name.text();
  nlohmann::json kinds = nlohmann::json::object();
  for (const auto& [column, kind] : view->kinds) {
    kinds[column == rename.subname ? rename.newname : column] = catalog::media_kind_name(kind);
  }
  try {
    alter_in_transaction(context, [&] {
      context.main.exec(fmt::format("ALTER VIEW {} RENAME COLUMN {} TO {}", name,
                                    sql::quote_identifier(rename.subname),
                                    sql::quote_identifier(rename.newname)));
      context.main.exec_params(
          "UPDATE coppice.views SET definition = $2, kinds = $3 WHERE view_id = $1",
          {std::to_string(view->view_id), view_text(context, name), kinds.dump()});
      renew_view_texts(context, name, TextChange::kNames);
    });
  } catch (const pg::ServerError& error) {
    throw statement.error(error.code(), rename.relation->location, error.message(), error.hint());
  }
  context.forget_catalog();
  sink.done(
      rename.relation_type == PG_QUERY__OBJECT_TYPE__OBJECT_VIEW ? "ALTER VIEW" : "ALTER TABLE",
      std::nullopt);
}

void rename_index(EngineContext& context, sql::Statement& statement, ResultSink& sink) {
  const auto& rename = *as<PgQuery__RenameStmt>(statement.node());
  const sql::QualifiedName name = sql::relation_name(*rename.relation);
  const pg::Result found = context.main.exec_params(
      "SELECT i.index_id, (SELECT count(*) FROM coppice.indexes o WHERE o.table_id = i.table_id "
      "AND o.name = $3) FROM coppice.indexes i JOIN coppice.tables t USING (table_id) "
      "WHERE i.name = $1 AND ($2 = '' OR t.schema_name = $2)",
      {name.name, name.schema, rename.newname});
  const auto refuse = [&](ErrorCode code, const std::string& what) {
    throw statement.error(code, rename.relation->location, what);
  };
  if (found.rows() == 0) {
    const std::string what = fmt::format("index \"{}\" does not exist", name.name);
    if (!rename.missing_ok) refuse(ErrorCode::kNotFound, what);
    sink.notice(what + ", skipping");
    return sink.done("ALTER INDEX", std::nullopt);
  }
  if (found.rows() > 1) {
    refuse(ErrorCode::kUsage, fmt::format("several tables have an index \"{}\"", name.name));
  }
  if (found.integer(0, 1) > 0) {
    refuse(ErrorCode::kAlreadyExists,
           fmt::format("relation \"{}\" already exists", rename.newname));
  }
  context.main.exec_params("UPDATE coppice.indexes SET name = $2 WHERE index_id = $1",
                           {std::string(found.text(0, 0)), rename.newname});
  context.forget_catalog();
  sink.done("ALTER INDEX", std::nullopt);
}

}  // namespace

void rename_object(EngineContext& context, sql::Statement& statement, ResultSink& sink) {
  const auto& rename = *as<PgQuery__RenameStmt>(statement.node());
  const bool index = rename.rename_type == PG_QUERY__OBJECT_TYPE__OBJECT_INDEX;
  if (rename.missing_ok && rename.relation != nullptr && !index) {
    const sql::QualifiedName name = sql::relation_name(*rename.relation);
    if (context.catalog.find_table(name) == nullptr && context.catalog.find_view(name) == nullptr) {
      sink.notice(fmt::format("relation \"{}\" does not exist, skipping", name.name));
      return sink.done("ALTER TABLE", std::nullopt);
    }
  }
  switch (rename.rename_type) {
    case PG_QUERY__OBJECT_TYPE__OBJECT_COLUMN:
      if (context.catalog.find_view(sql::relation_name(*rename.relation)) != nullptr) {
        return rename_view_column(context, statement, rename, sink);
      }
      return rename_column(context, statement, rename, sink);
    case PG_QUERY__OBJECT_TYPE__OBJECT_TABCONSTRAINT:
      return rename_constraint(context, statement, rename, sink);
    case PG_QUERY__OBJECT_TYPE__OBJECT_TABLE:
    case PG_QUERY__OBJECT_TYPE__OBJECT_MATVIEW:
      if (context.catalog.find_view(sql::relation_name(*rename.relation)) != nullptr) {
        return rename_view(context, sql::relation_name(*rename.relation), rename.newname,
                           "ALTER TABLE", sink);
      }
      return rename_table(context, statement, target_table(context, statement, *rename.relation),
                          rename.newname, sink);
    case PG_QUERY__OBJECT_TYPE__OBJECT_VIEW:
      return rename_view(context, sql::relation_name(*rename.relation), rename.newname,
                         "ALTER VIEW", sink);
    case PG_QUERY__OBJECT_TYPE__OBJECT_INDEX:
      return rename_index(context, statement, sink);
    default:
      throw statement.error(ErrorCode::kUnsupported, -1, "this kind of object cannot be renamed",
                            "drop it and make it again under the other name");
  }
}

}  // namespace coppice::engine
