#include "engine/materialized_view.h"

#include <fmt/core.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "base/crash_point.h"
#include "base/text.h"
#include "catalog/error_translation.h"
#include "catalog/store_ddl.h"
#include "engine/column_definition.h"
#include "engine/create_table.h"
#include "engine/job_watch.h"
#include "engine/operation_end.h"
#include "engine/rehearsal.h"
#include "engine/schema_change.h"
#include "engine/statement_tools.h"
#include "engine/view_changes.h"
#include "engine/view_query.h"
#include "engine/view_stages.h"
#include "pg/transaction.h"
#include "sql/read.h"

namespace coppice::engine {
namespace {

using catalog::ColumnInfo;
using catalog::Operation;
using catalog::TableInfo;
using catalog::TablePointer;
using nlohmann::json;
using sql::as;

constexpr int kMostRounds = 100;  // of computing what others changed meanwhile
constexpr std::string_view kTag = "CREATE MATERIALIZED VIEW";

// A column of the parent that gets another expression or type would change without its rows.
void refuse_filling(const ViewQuery& query) {
  for (const ColumnInfo& column : query.parent->columns) {
    const bool replaces = column.filling && query.parent->column_by_id(column.id) != nullptr;
    if (!replaces) continue;
    throw Error(
        ErrorCode::kBusy,
        fmt::format("column \"{}\" of {} is being changed", column.name, query.parent->user_name()),
        "wait for it: coppice jobs");
  }
}

// One CREATE from its operation to its version.
class Creation {
 public:
  Creation(EngineContext& context, ViewQuery query, std::string statement)
      : context_(context), query_(std::move(query)), statement_(std::move(statement)) {}

  void begin(ResultSink& sink);
  void pretend();
  TablePointer make_scratch(const std::string& store);
  void resume(const Operation& operation, const json& detail, ResultSink& sink);

 private:
  void describe();
  void describe(std::int64_t table_id, const std::vector<std::int64_t>& ids);
  void make_store();
  void run(ResultSink& sink);
  void run_rounds(ResultSink& sink);
  std::int64_t tree_version();
  void move(ViewStage& stage);
  bool publish(ViewStage& stage, std::int64_t seen);
  void keep_in_catalog(std::int64_t version);
  void follow_schema();
  void remove();

  EngineContext& context_;
  ViewQuery query_;
  std::string statement_;
  std::vector<std::int64_t> ids_;  // of the columns
  Operation operation_;
  TableInfo view_;
  std::int64_t version_ = 0;
};

std::int64_t next_id(EngineContext& context) {
  return context.main.exec_cached("SELECT nextval('coppice.ids')", {}).integer(0, 0);
}

void Creation::describe() {
  std::vector<std::int64_t> ids;
  for (std::size_t i = 0; i < query_.columns.size(); ++i) ids.push_back(next_id(context_));
  describe(next_id(context_), ids);
}

void Creation::pretend() {
  describe();
  make_store();
  keep_in_catalog(query_.parent->version + 1);
}

TablePointer Creation::make_scratch(const std::string& store) {
  describe();
  view_.store = store;
  make_store();
  return std::make_shared<const TableInfo>(view_);
}

void Creation::begin(ResultSink& sink) {
  describe();
  operation_ = context_.log.begin(view_, "create materialized view", statement_);
  json detail;
  detail["create_view"] = {
      {"table_id", view_.table_id}, {"columns", ids_}, {"statement", query_.statement}};
  {
    pg::Transaction transaction(context_.main);
    make_store();
    context_.main.exec_cached(
        "UPDATE coppice.operations SET detail = $3, stage_name = $4 "
        "WHERE tree_id = $1 AND op_id = $2",
        {std::to_string(operation_.tree_id), std::to_string(operation_.op_id), detail.dump(),
         fmt::format("coppice_store.s{}_{}", operation_.tree_id, operation_.op_id)});
    transaction.commit();
  }
  run(sink);
}

void Creation::resume(const Operation& operation, const json& detail, ResultSink& sink) {
  operation_ = operation;
  describe(detail["create_view"]["table_id"],
           detail["create_view"]["columns"].get<std::vector<std::int64_t>>());
  operation_.schema_version = query_.parent->schema_version;
  run(sink);
}

void Creation::describe(std::int64_t table_id, const std::vector<std::int64_t>& ids) {
  ids_ = ids;
  view_ = TableInfo();
  view_.table_id = table_id;
  view_.tree_id = query_.parent->tree_id;
  view_.name = query_.name;
  view_.store = fmt::format("t{}", table_id);
  view_.view = query_.view;
  for (std::size_t i = 0; i < query_.columns.size(); ++i) {
    ColumnInfo column = query_.columns[i].info;
    column.id = ids.at(i);
    column.physical = fmt::format("c{}", column.id);
    column.position = static_cast<int>(i) + 1;
    view_.columns.push_back(std::move(column));
  }
}

void Creation::make_store() {
  for (const std::string& ddl : catalog::create_store(view_)) context_.main.exec(ddl);
  for (const ColumnInfo& column : view_.columns) {
    context_.main.exec(catalog::add_physical_column(view_, column));
  }
}

void Creation::run(ResultSink& sink) {
  JobWatch watch(context_, operation_, true);
  const SpendingScope spending(context_.spending(), operation_.text());
  try {
    run_rounds(sink);
  } catch (const Error& caught) {
    context_.forget_catalog();
    if (!context_.main.is_alive()) throw;
    const Error error = watch.explain(caught);
    if (keeps_work(error)) leave_waiting(context_, operation_, error);
    remove();
    const auto* server_error = dynamic_cast<const pg::ServerError*>(&caught);
    const Error told = server_error != nullptr && error.code() != ErrorCode::kCancelled
                           ? catalog::translate(*server_error, view_)
                           : error;
    context_.log.fail(operation_, end_state(error), told.message());
    throw told;
  }
  context_.forget_catalog();
  sink.done(kTag, version_);
}

void Creation::run_rounds(ResultSink& sink) {
  for (int round = 1; round <= kMostRounds; ++round) {
    const std::int64_t seen = tree_version();
    ViewStage stage(context_, std::make_shared<const TableInfo>(view_), query_.parent,
                    {query_.parent->store_table(), false, {}}, operation_);
    stage.bring_up(sink);
    move(stage);
    reach_crash_point("view.before_publish");
    try {
      if (publish(stage, seen)) return;
    } catch (const catalog::SchemaChanged&) {
      follow_schema();
    }
  }
  throw Error(
      ErrorCode::kConflict,
      fmt::format("{} changes faster than the view can be computed", query_.parent->user_name()),
      "run the statement again when fewer rows change");
}

std::int64_t Creation::tree_version() {
  const pg::Result tree = context_.main.exec_cached(
      "SELECT version FROM coppice.trees WHERE tree_id = $1", {std::to_string(view_.tree_id)});
  if (tree.rows() == 0) throw Error(ErrorCode::kNotFound, "the table was dropped meanwhile");
  return tree.integer(0, 0);
}

void Creation::move(ViewStage& stage) {
  pg::Transaction transaction(context_.main);
  stage.move_new_rows();
  context_.main.exec(fmt::format("DELETE FROM {} WHERE _action = 'i'", stage.name()));
  transaction.commit();
}

// False: others published rows meanwhile that the view does not have.
bool Creation::publish(ViewStage& stage, std::int64_t seen) {
  bool published = false;
  alter_in_transaction(context_, [&] {
    published = false;
    const pg::Result tree = context_.main.exec_cached(
        "SELECT version, schema_version FROM coppice.trees WHERE tree_id = $1 FOR UPDATE",
        {std::to_string(operation_.tree_id)});
    if (tree.rows() == 0) throw Error(ErrorCode::kNotFound, "the table was dropped meanwhile");
    if (tree.integer(0, 1) != operation_.schema_version) throw catalog::SchemaChanged();
    if (tree.integer(0, 0) != seen && stage.is_behind()) return;
    keep_in_catalog(tree.integer(0, 0) + 1);
    context_.main.exec("DROP TABLE " + stage.name());
    catalog::RowCounts counts;
    counts.inserted =
        context_.main.exec(fmt::format("SELECT count(*) FROM {}", view_.store_table()))
            .integer(0, 0);
    version_ = *context_.log.publish(operation_, counts, false, true).version;
    published = true;
    reach_crash_point("view.before_commit");
  });
  return published;
}

void Creation::keep_in_catalog(std::int64_t version) {
  pg::Connection& main = context_.main;
  const catalog::MaterializedInfo& info = *view_.view;
  main.exec_params(
      "INSERT INTO coppice.tables (table_id, tree_id, schema_name, table_name, store_name) "
      "VALUES ($1, $2, $3, $4, $5)",
      {std::to_string(view_.table_id), std::to_string(view_.tree_id), view_.name.schema,
       view_.name.name, view_.store});
  std::optional<std::string> call, alias, columns;
  if (info.iterator) {
    call = info.iterator->call;
    alias = info.iterator->alias;
    columns = join(info.iterator->columns, "\n");
  }
  main.exec_params(
      "INSERT INTO coppice.materialized_views (table_id, parent_id, parent_alias, iterator, "
      "iterator_alias, iterator_columns, condition, definition, first_version) "
      "VALUES ($1, $2, $3, $4, $5, string_to_array($6, E'\\n'), $7, $8, $9)",
      {std::to_string(view_.table_id), std::to_string(info.parent_id), info.parent_alias, call,
       alias, columns, info.condition, info.definition, std::to_string(version)});
  for (const ColumnInfo& column : view_.columns) {
    keep_column(context_, view_, column, version, "live");
  }
  main.exec(catalog::working_view(view_));
  create_user_view(context_, view_);
}

// What the view reads must be as it was; then only the number of the schema is another.
void Creation::follow_schema() {
  context_.forget_catalog();
  sql::Statement statement = sql::parse_statement(query_.statement);
  ViewQuery now = read_view_query(context_, statement, {});
  refuse_filling(now);
  bool same = now.parent->table_id == query_.parent->table_id &&
              now.columns.size() == query_.columns.size();
  for (std::size_t i = 0; same && i < now.columns.size(); ++i) {
    same = now.columns[i].info.type == query_.columns[i].info.type &&
           now.columns[i].info.derived == query_.columns[i].info.derived;
  }
  for (const ColumnInfo* column : query_.parent->visible_columns()) {
    const ColumnInfo* present = now.parent->column_by_id(column->id);
    same = same && present != nullptr && present->physical == column->physical;
  }
  if (!same) {
    throw Error(ErrorCode::kConflict,
                fmt::format("{} was altered meanwhile", query_.parent->user_name()),
                "run the statement again");
  }
  query_ = std::move(now);
  operation_.schema_version = query_.parent->schema_version;
}

void Creation::remove() {
  discard_materialized_view(context_, operation_.tree_id, operation_.op_id);
}

void refuse_taken_name(EngineContext& context, const sql::Statement& statement,
                       const ViewQuery& query) {
  if (context.catalog.find_table(query.name) == nullptr &&
      context.catalog.find_view(query.name) == nullptr) {
    return;
  }
  const auto& create = *as<PgQuery__CreateTableAsStmt>(statement.node());
  throw statement.error(ErrorCode::kAlreadyExists, create.into->rel->location,
                        fmt::format("relation \"{}\" already exists", query.name.name));
}

// With its materialized views those over it, the last ones first.
std::vector<TablePointer> with_views_over(EngineContext& context, const TablePointer& table) {
  std::vector<TablePointer> all = views_over(context, *table);
  std::reverse(all.begin(), all.end());
  all.push_back(table);
  return all;
}

void drop_view(EngineContext& context, sql::Statement& statement, const TablePointer& view,
               bool cascade, ResultSink& sink) {
  const std::vector<TablePointer> doomed = with_views_over(context, view);
  if (!cascade && doomed.size() > 1) {
    std::vector<std::string> names;
    for (const TablePointer& other : doomed) {
      if (other != view) names.push_back("materialized view " + other->user_name());
    }
    throw statement.error(ErrorCode::kRefused, -1,
                          fmt::format("cannot drop materialized view {} because other objects "
                                      "depend on it: {}",
                                      view->user_name(), join(names, ", ")),
                          "drop them first, or use DROP … CASCADE");
  }
  const TablePointer parent = context.catalog.table_by_id(view->view->parent_id);
  std::set<std::string> dropped;
  const std::int64_t version =
      change_schema(context, parent->name, "drop materialized view", statement.text(),
                    statement.source(), [&](SchemaChange&) {
                      dropped.clear();
                      for (const TablePointer& one : doomed) {
                        drop_views_over(context, *one, cascade, dropped);
                        remove_materialized_view(context, *one);
                        if (one != view) dropped.insert("materialized view " + one->user_name());
                      }
                      forget_dropped_views(context);
                    });
  for (const std::string& name : dropped) sink.notice("drop cascades to " + name);
  sink.done("DROP MATERIALIZED VIEW", version);
}

}  // namespace

void create_materialized_view(EngineContext& context, sql::Statement& statement,
                              const SqlParameters& parameters, ResultSink& sink) {
  const auto& create = *as<PgQuery__CreateTableAsStmt>(statement.node());
  const sql::QualifiedName name = sql::relation_name(*create.into->rel);
  if (create.if_not_exists && context.catalog.find_table(name) != nullptr) {
    sink.notice(fmt::format("relation \"{}\" already exists, skipping", name.name));
    return sink.done(kTag, std::nullopt);
  }
  ViewQuery query = read_view_query(context, statement, parameters);
  check_schema(context, query.name.schema);
  refuse_taken_name(context, statement, query);
  refuse_filling(query);
  if (context.rehearsal != nullptr) return context.rehearsal->view(query);
  Creation(context, std::move(query), std::string(statement.text())).begin(sink);
}

TablePointer make_scratch_view(EngineContext& context, const ViewQuery& query,
                               const std::string& store) {
  return Creation(context, query, {}).make_scratch(store);
}

void pretend_to_create_view(EngineContext& context, sql::Statement& statement) {
  ViewQuery query = read_view_query(context, statement, {});
  check_schema(context, query.name.schema);
  refuse_taken_name(context, statement, query);
  Creation(context, std::move(query), std::string(statement.text())).pretend();
  context.forget_catalog();
}

void resume_materialized_view(EngineContext& context, std::int64_t tree_id, std::int64_t op_id,
                              ResultSink& sink) {
  const auto waiting = context.log.take_up(tree_id, op_id);
  if (!waiting) throw_taken_up(tree_id, op_id);
  const json detail = json::parse(waiting->detail);
  const std::string text = detail["create_view"]["statement"];
  std::optional<Creation> creation;
  try {
    sql::Statement statement = sql::parse_statement(text);
    ViewQuery query = read_view_query(context, statement, {});
    refuse_taken_name(context, statement, query);
    refuse_filling(query);
    creation.emplace(context, std::move(query), text);
  } catch (const Error& error) {
    if (!context.main.is_alive()) throw;
    leave_waiting(context, waiting->operation, error);  // what has changed can be changed back
  }
  creation->resume(waiting->operation, detail, sink);
}

void discard_materialized_view(EngineContext& context, std::int64_t tree_id, std::int64_t op_id) {
  const pg::Result row = context.main.exec_params(
      "SELECT (detail->'create_view'->>'table_id')::bigint FROM coppice.operations "
      "WHERE tree_id = $1 AND op_id = $2 AND detail ? 'create_view' AND state <> 'published'",
      {std::to_string(tree_id), std::to_string(op_id)});
  if (row.rows() == 0) return;
  drop_stage_tables(context, tree_id, op_id);  // its rows are numbered by the store's sequence
  context.main.exec(fmt::format("DROP TABLE IF EXISTS coppice_store.t{}", row.integer(0, 0)));
}

void remove_materialized_view(EngineContext& context, const TableInfo& view) {
  const pg::Result stages = context.main.exec_params(
      "SELECT format('coppice_store.%I', relname) FROM pg_class "
      "WHERE relnamespace = 'coppice_store'::regnamespace AND relkind = 'r' "
      "AND relname ~ ('^s' || $1 || '_\\d+_v' || $2 || '$')",
      {std::to_string(view.tree_id), std::to_string(view.table_id)});
  for (int row = 0; row < stages.rows(); ++row) {
    context.main.exec(fmt::format("DROP TABLE {}", stages.text(row, 0)));
  }
  const pg::Result own = context.main.exec_params(
      "UPDATE coppice.operations SET state = 'discarded', message = 'the view was dropped' "
      "WHERE tree_id = $1 AND table_id = $2 AND state IN ('interrupted', 'paused') "
      "RETURNING op_id",
      {std::to_string(view.tree_id), std::to_string(view.table_id)});
  for (int row = 0; row < own.rows(); ++row) {
    drop_stage_tables(context, view.tree_id, own.integer(row, 0));
  }
  drop_relations(context, view);
}

void drop_materialized_views(EngineContext& context, sql::Statement& statement, ResultSink& sink) {
  const auto& drop = *as<PgQuery__DropStmt>(statement.node());
  const bool cascade = drop.behavior == PG_QUERY__DROP_BEHAVIOR__DROP_CASCADE;
  for (const sql::Node* object : sql::nodes(drop.n_objects, drop.objects)) {
    const sql::QualifiedName name = sql::object_name(object);
    const TablePointer view = context.catalog.find_table(name);
    if (view != nullptr && !view->view) {
      throw statement.error(ErrorCode::kRefused, -1, fmt::format("\"{}\" is a table", name.name),
                            "use DROP TABLE");
    }
    if (view == nullptr && context.catalog.find_view(name) != nullptr) {
      throw statement.error(ErrorCode::kRefused, -1,
                            fmt::format("\"{}\" is a plain view", name.name), "use DROP VIEW");
    }
    if (view == nullptr) {
      if (!drop.missing_ok) context.catalog.throw_unknown_table(name);
      sink.notice(fmt::format("materialized view \"{}\" does not exist, skipping", name.name));
      continue;
    }
    drop_view(context, statement, view, cascade, sink);
  }
}

}  // namespace coppice::engine
