#include "engine/indexes.h"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "base/text.h"
#include "catalog/expressions.h"
#include "engine/schema_change.h"
#include "engine/statement_tools.h"
#include "engine/table_draft.h"
#include "exec/binder.h"
#include "exec/column_names.h"
#include "sql/deparse.h"
#include "sql/make.h"
#include "sql/read.h"

namespace coppice::engine {
namespace {

using catalog::TableInfo;
using catalog::TablePointer;
using sql::as;

// The columns an index reads, by name.
std::set<std::string> indexed_columns(const TableInfo& table, const sql::Statement& statement,
                                      const PgQuery__IndexStmt& index) {
  std::set<std::string> names;
  const auto read = [&](std::size_t count, sql::Node** items) {
    for (sql::Node* node : sql::nodes(count, items)) {
      const auto& element = *as<PgQuery__IndexElem>(node);
      if (element.expr != nullptr) {
        names.merge(catalog::columns_read(table, sql::deparse_expression(element.expr)));
      } else if (table.find_column(element.name) != nullptr) {
        names.insert(element.name);
      } else {
        std::vector<std::string> known;
        for (const auto* column : table.visible_columns()) known.push_back(column->name);
        throw statement.error(ErrorCode::kNotFound, -1,
                              fmt::format("column \"{}\" does not exist", element.name),
                              did_you_mean(element.name, known));
      }
    }
  };
  read(index.n_index_params, index.index_params);
  read(index.n_index_including_params, index.index_including_params);
  if (index.where_clause != nullptr) {
    names.merge(catalog::columns_read(table, sql::deparse_expression(index.where_clause)));
  }
  return names;
}

void use_physical_columns(const TableInfo& table, PgQuery__IndexStmt& index, sql::Arena& arena) {
  const auto change = [&](std::size_t count, sql::Node** items) {
    for (sql::Node* node : sql::nodes(count, items)) {
      auto& element = *as<PgQuery__IndexElem>(node);
      if (element.expr != nullptr) {
        catalog::use_store_names(table, element.expr, arena);
      } else {
        element.name = arena.copy(table.find_column(element.name)->physical);
      }
    }
  };
  change(index.n_index_params, index.index_params);
  change(index.n_index_including_params, index.index_including_params);
  if (index.where_clause != nullptr) catalog::use_store_names(table, index.where_clause, arena);
}

void only_current_rows(PgQuery__IndexStmt& index, sql::Arena& arena) {
  sql::Statement current = sql::parse_expression(fmt::format("_to = {}", catalog::kCurrentText));
  sql::Node* condition = sql::clone(arena, current.node());
  if (index.where_clause != nullptr) {
    sql::Node* const both[] = {index.where_clause, condition};
    condition = sql::make::and_of(arena, both);
  }
  index.where_clause = condition;
}

// As PostgreSQL names it: after its key columns, in their order.
std::string default_name(const TableInfo& table, const PgQuery__IndexStmt& index) {
  std::vector<std::string> keys, taken;
  for (sql::Node* node : sql::nodes(index.n_index_params, index.index_params)) {
    const auto& element = *as<PgQuery__IndexElem>(node);
    keys.push_back(element.expr != nullptr ? exec::default_column_name(element.expr)
                                           : element.name);
    if (keys.back() == "?column?") keys.back() = "expr";
  }
  for (const auto& other : table.indexes) taken.push_back(other.name);
  return object_name(table.name.name, join(keys, "_"), "idx", taken);
}

void refuse_engine_calls(EngineContext& context, const sql::Statement& statement) {
  if (!exec::mentions_engine_function(statement.node(), context.functions)) return;
  throw statement.error(ErrorCode::kUnsupported, -1, "an index cannot call an engine function",
                        "keep its value in a computed column, and make the index over that");
}

}  // namespace

void create_index(EngineContext& context, sql::Statement& statement, ResultSink& sink) {
  auto& index = *as<PgQuery__IndexStmt>(statement.node());
  const TablePointer table = target_table(context, statement, *index.relation);
  refuse_engine_calls(context, statement);
  const std::set<std::string> columns = indexed_columns(*table, statement, index);
  const bool named = index.idxname != nullptr && *index.idxname != '\0';
  const std::string name = named ? index.idxname : default_name(*table, index);
  for (const catalog::IndexInfo& other : table->indexes) {
    if (other.name != name) continue;
    const std::string what = fmt::format("relation \"{}\" already exists", name);
    if (!index.if_not_exists) throw statement.error(ErrorCode::kAlreadyExists, -1, what);
    return sink.notice(what + ", skipping");
  }
  const std::int64_t id =
      context.main.exec_cached("SELECT nextval('coppice.ids')", {}).integer(0, 0);
  const std::string store_name = fmt::format("{}_i{}", table->store, id);
  std::vector<std::int64_t> ids;
  for (const std::string& column : columns) ids.push_back(table->find_column(column)->id);
  use_physical_columns(*table, index, statement.arena());
  only_current_rows(index, statement.arena());
  index.idxname = statement.arena().copy(store_name);
  index.if_not_exists = 0;
  index.concurrent = 0;
  index.relation->schemaname = statement.arena().copy("coppice_store");
  index.relation->relname = statement.arena().copy(table->store);
  const std::string ddl = sql::deparse(statement.node());
  try {
    alter_in_transaction(context, [&] {
      context.main.exec(ddl);
      context.main.exec_params(
          "INSERT INTO coppice.indexes (index_id, table_id, name, definition, columns, store_name) "
          "VALUES ($1, $2, $3, $4, $5, $6)",
          {std::to_string(id), std::to_string(table->table_id), name, std::string(statement.text()),
           fmt::format("{{{}}}", fmt::join(ids, ",")), store_name});
    });
  } catch (const pg::ServerError& error) {
    throw ddl_error(error, *table, statement.source());
  }
  context.forget_catalog();
}

void drop_indexes(EngineContext& context, sql::Statement& statement, ResultSink& sink) {
  const auto& drop = *as<PgQuery__DropStmt>(statement.node());
  for (const sql::Node* object : sql::nodes(drop.n_objects, drop.objects)) {
    const sql::QualifiedName name = sql::object_name(object);
    const pg::Result found = context.main.exec_params(
        "SELECT i.index_id, i.store_name FROM coppice.indexes i JOIN coppice.tables t "
        "USING (table_id) WHERE i.name = $1 AND ($2 = '' OR t.schema_name = $2)",
        {name.name, name.schema});
    if (found.rows() == 0) {
      const std::string what = fmt::format("index \"{}\" does not exist", name.name);
      if (!drop.missing_ok) throw statement.error(ErrorCode::kNotFound, -1, what);
      sink.notice(what + ", skipping");
      continue;
    }
    if (found.rows() > 1) {
      throw statement.error(ErrorCode::kUsage, -1,
                            fmt::format("several tables have an index \"{}\"", name.name),
                            "say the table's schema: DROP INDEX schema.name");
    }
    alter_in_transaction(context, [&] {
      context.main.exec(fmt::format("DROP INDEX coppice_store.{}", found.text(0, 1)));
      context.main.exec_params("DELETE FROM coppice.indexes WHERE index_id = $1",
                               {std::string(found.text(0, 0))});
    });
    context.forget_catalog();
  }
}

}  // namespace coppice::engine
