#include "engine/schema_step.h"

#include <fmt/core.h>

#include "engine/alter_table.h"
#include "engine/column_definition.h"
#include "engine/create_table.h"
#include "engine/fill.h"
#include "engine/materialized_view.h"
#include "engine/operation_end.h"
#include "engine/quiet_sinks.h"
#include "engine/run_sql.h"
#include "engine/schema_change.h"
#include "engine/schema_text.h"
#include "engine/table_options.h"

namespace coppice::engine {
namespace {

using Work = SchemaStep::Work;

void run_text(EngineContext& context, const std::string& sql, ResultSink& sink) {
  run_script(context, sql, {}, sink);
}

// PostgreSQL replaces a view in place only when its columns stay.
bool needs_drop(const Error& error) {
  for (const char* what : {"cannot drop columns from view", "cannot change name of view column",
                           "cannot change data type of view column"}) {
    if (error.message().find(what) != std::string::npos) return true;
  }
  return false;
}

void replace_view(EngineContext& context, const SchemaStep& step, ResultSink& sink) {
  try {
    return run_text(context, step.sql, sink);
  } catch (const Error& error) {
    if (!needs_drop(error)) throw;
    if (!step.may_drop) {
      throw Error(error.code(), error.message(),
                  "its columns change, so it must be dropped and made again: use --prune");
    }
  }
  run_text(context, "DROP VIEW " + shown_name(step.table), sink);
  run_text(context, step.sql, sink);
  for (const std::string& statement : step.afterwards) run_text(context, statement, sink);
}

void do_step(EngineContext& context, const SchemaStep& step, ResultSink& sink) {
  switch (step.work) {
    case Work::kRun:
    case Work::kAddComputed:
    case Work::kCreateMaterialized:
      return run_text(context, step.sql, sink);
    case Work::kCreateTable:
      create_table_from(context, step.model->name, step.model->draft, step.model->place.source,
                        step.sql);
      return;
    case Work::kChangeExpression:
      change_expression(context, step.table, step.column->info.name, *step.column->info.expression,
                        step.sql, sink);
      return;
    case Work::kSetRetention:
      return set_retention(context, step.table, step.retention);
    case Work::kReplaceView:
      return replace_view(context, step, sink);
  }
}

void pretend_to_add(EngineContext& context, const SchemaStep& step) {
  change_schema(context, step.table, "add column", step.sql, step.place.source,
                [&](SchemaChange& change) {
                  catalog::ColumnInfo& column =
                      add_column(context, change.table, *step.column, change.version, "live");
                  check_computed_column(context, change.table, column, step.place.source,
                                        step.place.location);
                  keep_column(context, change.table, column, change.version, "live");
                });
}

void pretend_to_change(EngineContext& context, const SchemaStep& step) {
  change_schema(context, step.table, "alter column", step.sql, step.place.source,
                [&](SchemaChange& change) {
                  for (catalog::ColumnInfo& column : change.table.columns) {
                    if (column.filling || column.name != step.column->info.name) continue;
                    column.expression = step.column->info.expression;
                    check_computed_column(context, change.table, column, step.place.source,
                                          step.place.location);
                    context.main.exec_cached(
                        "UPDATE coppice.columns SET expression = $3, uses_engine = $4 "
                        "WHERE table_id = $1 AND column_id = $2 AND to_version IS NULL",
                        {std::to_string(change.table.table_id), std::to_string(column.id),
                         column.expression, column.uses_engine ? "t" : "f"});
                  }
                });
}

// The step's own SQL is not what the user wrote: places in it become the place in the file.
Error told_in_file(const Error& error, const SchemaStep& step) {
  std::string what = error.message();
  const bool in_file = step.work == Work::kCreateTable && what.find(" (line ") != std::string::npos;
  if (in_file || step.place.source.text.empty()) return error;
  what = what.substr(0, what.find('\n'));
  if (what.ends_with(')')) what = what.substr(0, what.rfind(" (line "));
  return sql::error_at(error.code(), step.place.source, step.place.location,
                       fmt::format("{} {}: {}", step.action, step.object, what), error.hint());
}

template <class Action>
void told(const SchemaStep& step, const Action& action) {
  try {
    action();
  } catch (const Error& error) {
    if (keeps_work(error) || error.code() == ErrorCode::kUnavailable) throw;
    throw told_in_file(error, step);
  }
}

}  // namespace

void run_schema_step(EngineContext& context, const SchemaStep& step, ResultSink& sink) {
  NoticeSink quiet(sink);
  told(step, [&] { do_step(context, step, quiet); });
}

void rehearse_schema_step(EngineContext& context, const SchemaStep& step, ResultSink& sink) {
  NoticeSink quiet(sink);
  told(step, [&] {
    if (step.work == Work::kAddComputed) return pretend_to_add(context, step);
    if (step.work == Work::kChangeExpression) return pretend_to_change(context, step);
    if (step.work == Work::kCreateMaterialized) {
      sql::Statement statement = sql::parse_statement(step.sql);
      return pretend_to_create_view(context, statement);
    }
    do_step(context, step, quiet);
  });
}

}  // namespace coppice::engine
