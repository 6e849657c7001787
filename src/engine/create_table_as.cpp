#include "engine/create_table_as.h"

#include <fmt/core.h>

#include <optional>

#include "catalog/expressions.h"
#include "engine/bound_expression.h"
#include "engine/create_table.h"
#include "engine/direct_write.h"
#include "engine/insert.h"
#include "engine/operation_end.h"
#include "engine/query.h"
#include "engine/rehearsal.h"
#include "engine/staged_write.h"
#include "engine/statement_tools.h"
#include "exec/binder.h"
#include "exec/select.h"
#include "pg/transaction.h"
#include "sql/deparse.h"
#include "sql/make.h"
#include "sql/read.h"

namespace coppice::engine {
namespace {

using sql::as;

// The query's columns as a table's; media kinds are kept where they are known.
TableDraft draft_of(EngineContext& context, sql::Statement& statement, PgQuery__SelectStmt& select,
                    const PgQuery__IntoClause& into) {
  CatalogKinds relations(context);
  exec::BindContext binding{
      statement.arena(), context.functions, relations, statement.source(), 0, {}};
  exec::bind_select(select, binding);
  const auto kinds = exec::columns_of(select, nullptr, binding.kinds());
  resolve_versions(context, statement);
  qualify_media_types(sql::message_of(statement.node()), statement.arena());
  const std::string sent = sql::deparse(sql::make::wrap(statement.arena(), &select));
  std::vector<pg::Column> columns;
  try {
    columns = context.main.describe(sent).columns;
  } catch (const pg::ServerError& error) {
    throw query_error(context, error, sent, statement);
  }
  const std::vector<std::string> names = sql::names_in(into.n_col_names, into.col_names);
  if (names.size() > columns.size()) {
    throw statement.error(ErrorCode::kSyntax, into.rel->location,
                          "too many column names were specified");
  }
  TableDraft draft;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    ColumnDraft column;
    column.info.name = i < names.size() ? names[i] : columns[i].name;
    column.info.type = columns[i].type_name;
    if (kinds && i < kinds->size() && (*kinds)[i].kind) {
      column.info.type = catalog::media_kind_name(*(*kinds)[i].kind);
    }
    draft.columns.push_back(std::move(column));
  }
  return draft;
}

bool can_be_resumed(EngineContext& context, const catalog::TableInfo& table) {
  return context.main
             .exec_params(
                 "SELECT 1 FROM coppice.operations WHERE table_id = $1 "
                 "AND state IN ('interrupted', 'paused') AND detail ? 'stage'",
                 {std::to_string(table.table_id)})
             .rows() > 0;
}

// Rows that workers compute, or media: the table is there before them.
void fill_staged(EngineContext& context, const catalog::TableInfo& table, sql::Statement& insert,
                 const SqlParameters& parameters, ResultSink& sink) {
  try {
    run_staged_insert(context, table, insert, parameters, sink, "SELECT");
  } catch (const Error& error) {
    // What was staged may be resumed, and what waits for a budget; anything else leaves no table.
    const bool waits =
        error.code() == ErrorCode::kPaused || (keeps_work(error) && can_be_resumed(context, table));
    if (context.main.is_alive() && !waits) {
      context.stop = std::stop_source();  // it has ended the statement; this is cleaning up
      sql::Statement drop = sql::parse_statement("DROP TABLE " + table.user_name());
      drop_tables(context, drop, sink);
    }
    throw;
  }
}

// The table of a background job that was killed before it had kept a row, and is run anew: it is
// there, as it was made, and waits for its rows.
catalog::TablePointer begun_before(EngineContext& context, const sql::QualifiedName& name) {
  if (!context.replaced_job) return nullptr;
  catalog::TablePointer table = context.catalog.find_table(name);
  if (table == nullptr || table->version != 0) return nullptr;
  const pg::Result job = context.main.exec_params(
      "SELECT 1 FROM coppice.operations WHERE format('%s-%s', tree_id, op_id) = $1 "
      "AND table_id = $2 AND state = 'interrupted'",
      {*context.replaced_job, std::to_string(table->table_id)});
  return job.rows() > 0 ? table : nullptr;
}

WriteOutcome fill_directly(EngineContext& context, const catalog::TableInfo& table,
                           const sql::Statement& insert, const sql::Statement& statement,
                           const SqlParameters& parameters) {
  DirectInsert write(sql::deparse(insert.node()), parameters);
  try {
    return run_direct_write(context, table.name, statement.text(), write);
  } catch (const pg::ServerError& error) {
    throw query_error(context, error, write.planned_text(), statement);
  }
}

// Table and rows: both or nothing, where no worker has a part in it.
void make_and_fill(EngineContext& context, const sql::QualifiedName& name, const TableDraft& draft,
                   const std::string& query, const sql::Statement& statement,
                   const SqlParameters& parameters, ResultSink& sink) {
  const auto insert_into = [&](const catalog::TableInfo& table) {
    return parse_generated(fmt::format("INSERT INTO {} {}", table.user_name(), query), statement);
  };
  if (const catalog::TablePointer begun = begun_before(context, name)) {
    sql::Statement insert = insert_into(*begun);
    return fill_staged(context, *begun, insert, parameters, sink);
  }
  std::optional<pg::EnclosingTransaction> all(std::in_place, context.main);
  const auto table = create_table_from(context, name, draft, statement.source(), statement.text());
  sql::Statement insert = insert_into(*table);
  if (insert_needs_staging(context, *table, insert)) {
    all->commit();
    all.reset();
    return fill_staged(context, *table, insert, parameters, sink);
  }
  const WriteOutcome outcome = fill_directly(context, *table, insert, statement, parameters);
  all->commit();
  sink.done(fmt::format("SELECT {}", outcome.counts.inserted), outcome.version);
}

}  // namespace

void create_table_as(EngineContext& context, sql::Statement& statement,
                     const SqlParameters& parameters, ResultSink& sink) {
  auto& create = *as<PgQuery__CreateTableAsStmt>(statement.node());
  const sql::QualifiedName name = sql::relation_name(*create.into->rel);
  if (create.if_not_exists && context.catalog.find_table(name) != nullptr &&
      begun_before(context, name) == nullptr) {
    sink.notice(fmt::format("relation \"{}\" already exists, skipping", name.name));
    return sink.done("CREATE TABLE AS", std::nullopt);
  }
  auto* select = as<PgQuery__SelectStmt>(create.query);
  if (select == nullptr) {
    throw statement.error(ErrorCode::kUnsupported, -1, "CREATE TABLE AS takes a query here");
  }
  exec::substitute_parameters(statement.root(), bind_parameters(statement, parameters),
                              statement.arena());
  const std::string query = sql::deparse(create.query);
  const bool with_data = !create.into->skip_data;
  const TableDraft draft = draft_of(context, statement, *select, *create.into);
  if (context.rehearsal != nullptr) {
    std::vector<std::string> types;
    for (const ColumnDraft& column : draft.columns) {
      types.push_back(catalog::store_type(column.info.type));
    }
    return context.rehearsal->table_as(name.text(), types, query);
  }
  if (!with_data) {
    const auto table =
        create_table_from(context, name, draft, statement.source(), statement.text());
    return sink.done("CREATE TABLE AS", table->version);
  }
  try {
    make_and_fill(context, name, draft, query, statement, parameters, sink);
  } catch (...) {
    context.forget_catalog();
    throw;
  }
}

}  // namespace coppice::engine
