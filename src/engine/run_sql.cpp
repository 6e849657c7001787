#include "engine/run_sql.h"

#include <fmt/core.h>

#include <algorithm>
#include <functional>

#include "base/text.h"
#include "config/config.h"
#include "engine/alter_table.h"
#include "engine/copy.h"
#include "engine/create_function.h"
#include "engine/create_table.h"
#include "engine/create_table_as.h"
#include "engine/group_commit.h"
#include "engine/indexes.h"
#include "engine/insert.h"
#include "engine/materialized_view.h"
#include "engine/query.h"
#include "engine/session_settings.h"
#include "engine/staged_write.h"
#include "engine/statement_tools.h"
#include "engine/update.h"
#include "engine/upsert.h"
#include "engine/views.h"
#include "exec/binder.h"
#include "sql/classify.h"
#include "sql/parameters.h"
#include "sql/read.h"

namespace coppice::engine {
namespace {

using sql::as;
using sql::StatementKind;

// One statement and where it is run.
struct Run {
  EngineContext& context;
  sql::Statement& statement;
  const SqlParameters& parameters;
  ResultSink& sink;

  std::string text() const { return std::string(statement.text()); }
};

// `staged`: the other way, for a table that got a materialized view meanwhile.
void write_directly(const Run& run, const sql::QualifiedName& table, DirectWrite& write,
                    std::string_view tag, const std::function<void()>& staged) {
  try {
    const WriteOutcome outcome = run_direct_write(run.context, table, run.statement.text(), write);
    write.emit(run.context, run.sink);
    run.sink.done(fmt::format("{} {}", tag, outcome.counts.changed()), outcome.version);
  } catch (const TableHasViews&) {
    run.context.forget_catalog();
    staged();
  } catch (const pg::ServerError& error) {
    throw query_error(run.context, error, write.planned_text(), run.statement);
  }
}

// Materialized views follow staged writes.
bool has_views(const catalog::TableInfo& table) { return !table.views.empty(); }

void insert(const Run& run) {
  const auto& insert = *as<PgQuery__InsertStmt>(run.statement.node());
  const catalog::TablePointer table = written_table(run.context, run.statement, *insert.relation);
  const auto staged = [&] {
    run_staged_insert(run.context, *table, run.statement, run.parameters, run.sink);
  };
  if (has_views(*table) || insert_needs_staging(run.context, *table, run.statement)) {
    return staged();
  }
  if (is_upsert(insert)) {
    DirectUpsert write(run.text(), run.parameters);
    return write_directly(run, table->name, write, "INSERT 0", staged);
  }
  DirectInsert write(run.text(), run.parameters);
  write_directly(run, table->name, write, "INSERT 0", staged);
}

void update(const Run& run) {
  const auto& update = *as<PgQuery__UpdateStmt>(run.statement.node());
  const catalog::TablePointer table = written_table(run.context, run.statement, *update.relation);
  const auto staged = [&] {
    run_staged_update(run.context, *table, run.statement, run.parameters, run.sink);
  };
  if (has_views(*table) || update_needs_staging(run.context, *table, run.statement)) {
    return staged();
  }
  DirectUpdate write(run.text(), run.parameters);
  write_directly(run, table->name, write, "UPDATE", staged);
}

void remove(const Run& run) {
  const auto& deletion = *as<PgQuery__DeleteStmt>(run.statement.node());
  const catalog::TablePointer table = written_table(run.context, run.statement, *deletion.relation);
  const auto staged = [&] {
    run_staged_delete(run.context, *table, run.statement, run.parameters, run.sink);
  };
  if (has_views(*table) ||
      exec::mentions_engine_function(run.statement.node(), run.context.functions)) {
    return staged();
  }
  DirectDelete write(run.text(), run.parameters);
  write_directly(run, table->name, write, "DELETE", staged);
}

void truncate_table(const Run& run, const PgQuery__RangeVar& relation, bool restart) {
  const catalog::TablePointer table = written_table(run.context, run.statement, relation);
  const auto staged = [&] {
    run_staged_truncate(run.context, *table, run.statement.text(), restart, run.sink);
  };
  if (has_views(*table)) return staged();
  DirectDelete write(fmt::format("TRUNCATE {}{}", sql::relation_name(relation).text(),
                                 restart ? " RESTART IDENTITY" : ""),
                     run.parameters);
  try {
    const WriteOutcome outcome =
        run_direct_write(run.context, table->name, run.statement.text(), write);
    run.sink.done("TRUNCATE TABLE", outcome.version);
  } catch (const TableHasViews&) {
    run.context.forget_catalog();
    staged();
  }
}

void truncate(const Run& run) {
  const auto& truncation = *as<PgQuery__TruncateStmt>(run.statement.node());
  for (sql::Node* node : sql::nodes(truncation.n_relations, truncation.relations)) {
    truncate_table(run, *as<PgQuery__RangeVar>(node), truncation.restart_seqs);
  }
}

void copy_from(const Run& run) {
  const auto& copy = *as<PgQuery__CopyStmt>(run.statement.node());
  const catalog::TablePointer table = written_table(run.context, run.statement, *copy.relation);
  CopyRequest request = read_copy(run.statement, *table);
  const auto staged = [&] {
    run_staged_copy(run.context, *table, request, run.statement.text(), run.sink);
  };
  if (has_views(*table) || table->has_media() || table->has_engine_columns()) return staged();
  DirectCopy write(request);
  write_directly(run, table->name, write, "COPY", staged);
}

void drop(const Run& run, StatementKind kind) {
  switch (kind) {
    case StatementKind::kDropTable:
      drop_tables(run.context, run.statement, run.sink);
      break;
    case StatementKind::kDropView:
      drop_views(run.context, run.statement, run.sink);
      break;
    case StatementKind::kDropMaterializedView:
      drop_materialized_views(run.context, run.statement, run.sink);
      break;
    case StatementKind::kDropIndex:
      drop_indexes(run.context, run.statement, run.sink);
      break;
    default:
      drop_schemas(run.context, run.statement, run.sink);
      break;
  }
}

void run_statement(const Run& run) {
  const StatementKind kind = sql::require_supported(run.statement);
  const auto done = [&](std::string_view tag) { run.sink.done(tag, std::nullopt); };
  switch (kind) {
    case StatementKind::kSelect:
    case StatementKind::kValues:
      return done(fmt::format("SELECT {}",
                              run_query(run.context, run.statement, run.parameters, run.sink)));
    case StatementKind::kExplain:
      run_explain(run.context, run.statement, run.parameters, run.sink);
      return done("EXPLAIN");
    case StatementKind::kInsert:
      return insert(run);
    case StatementKind::kUpdate:
      return update(run);
    case StatementKind::kDelete:
      return remove(run);
    case StatementKind::kTruncate:
      return truncate(run);
    case StatementKind::kCopyFrom:
      return copy_from(run);
    case StatementKind::kCopyTo:
      return done(fmt::format("COPY {}", copy_to_file(run.context, run.statement, run.parameters)));
    case StatementKind::kCreateTable:
      if (!create_table(run.context, run.statement, run.sink)) return done("CREATE TABLE");
      return run.sink.done("CREATE TABLE", 0);
    case StatementKind::kCreateTableAs:
      return create_table_as(run.context, run.statement, run.parameters, run.sink);
    case StatementKind::kCreateSchema:
      create_schema(run.context, run.statement, run.sink);
      return done("CREATE SCHEMA");
    case StatementKind::kCreateView:
      create_view(run.context, run.statement, run.sink);
      return done("CREATE VIEW");
    case StatementKind::kCreateMaterializedView:
      return create_materialized_view(run.context, run.statement, run.parameters, run.sink);
    case StatementKind::kAlterTable:
    case StatementKind::kRename:
      return alter_table(run.context, run.statement, run.sink);
    case StatementKind::kDropTable:
    case StatementKind::kDropView:
    case StatementKind::kDropMaterializedView:
    case StatementKind::kDropIndex:
    case StatementKind::kDropSchema:
      drop(run, kind);
      return done(sql::kind_name(kind));
    case StatementKind::kCreateFunction:
      create_function(run.context, run.statement, run.sink);
      return done(as<PgQuery__DefineStmt>(run.statement.node()) ? "CREATE AGGREGATE"
                                                                : "CREATE FUNCTION");
    case StatementKind::kDropFunction:
      drop_functions(run.context, run.statement, run.sink);
      return done(sql::kind_name(kind));
    case StatementKind::kCreateIndex:
      create_index(run.context, run.statement, run.sink);
      return done("CREATE INDEX");
    case StatementKind::kGrant:
      grant(run.context, run.statement);
      return done(as<PgQuery__GrantStmt>(run.statement.node())->is_grant ? "GRANT" : "REVOKE");
    case StatementKind::kComment:
      comment(run.context, run.statement);
      return done("COMMENT");
    case StatementKind::kSet:
      set_session(run.context, run.statement);
      return done("SET");
    case StatementKind::kShow:
      show_session(run.context, run.statement, run.sink);
      return done("SHOW");
    default:
      throw run.statement.error(ErrorCode::kUnsupported, 0,
                                fmt::format("{} is not supported yet", sql::kind_name(kind)));
  }
}

constexpr std::size_t kParsedAtOnceBytes = 1 << 20;

std::string counted(std::size_t done) {
  if (done == 0) return {};
  return done == 1 ? "; the statement before it was done"
                   : fmt::format("; the {} statements before it were done", done);
}

// `more` belongs to the message, not to the excerpt below it.
std::string in_first_line(std::string message, const std::string& more) {
  return message.insert(std::min(message.find('\n'), message.size()), more);
}

// Changes of a few rows, as far as one can tell without asking the database.
bool is_short_write(sql::Statement& statement) {
  switch (sql::classify(statement).kind) {
    case StatementKind::kInsert: {
      const auto* source =
          as<PgQuery__SelectStmt>(as<PgQuery__InsertStmt>(statement.node())->select_stmt);
      return source == nullptr || source->n_values_lists > 0;
    }
    case StatementKind::kUpdate:
    case StatementKind::kDelete:
      return true;
    default:
      return false;
  }
}

// A restart must know what was done: one operation, which it goes on with or runs anew.
void check_background(const std::vector<sql::Statement>& statements) {
  if (statements.size() != 1) {
    throw Error(ErrorCode::kUnsupported,
                fmt::format("a job in the background is one statement, and these are {}",
                            statements.size()),
                "start a job for each");
  }
}

void check_background(sql::Statement& statement) {
  switch (sql::classify(statement).kind) {
    case StatementKind::kInsert:
    case StatementKind::kUpdate:
    case StatementKind::kDelete:
    case StatementKind::kCopyFrom:
    case StatementKind::kCreateTableAs:
    case StatementKind::kCreateMaterializedView:
      return;
    case StatementKind::kAlterTable:
      if (as<PgQuery__AlterTableStmt>(statement.node())->n_cmds == 1) return;
      throw Error(ErrorCode::kUnsupported,
                  "ALTER TABLE with several changes cannot run in the background",
                  "start a job for each of them");
    default:
      throw Error(ErrorCode::kUnsupported,
                  fmt::format("{} cannot run in the background",
                              sql::kind_name(sql::classify(statement).kind)),
                  "that is for INSERT, UPDATE, DELETE, COPY, ALTER TABLE, CREATE TABLE AS and "
                  "CREATE MATERIALIZED VIEW; run it without --background");
  }
}

// The statements of one call, one after another.
class Script {
 public:
  Script(EngineContext& context, const SqlParameters& parameters, ResultSink& sink)
      : context_(context), parameters_(parameters), commits_(context.main, sink) {}

  void run(sql::Statement& statement) {
    try {
      context_.check_stop();
      const bool joins = is_short_write(statement);
      // One alone does not pay for opening a group.
      if (joins && follows_short_write_) commits_.begin();
      if (!joins) commits_.end();
      follows_short_write_ = joins;
      context_.spending().work_on("query");
      run_statement({context_, statement, parameters_, commits_});
      ++done_;
      commits_.settle_when_due();
    } catch (const Error& error) {
      if (done_ == 0) throw;
      throw Error(error.code(), in_first_line(error.message(), what_is_done()), error.hint());
    }
  }

  void end() {
    try {
      commits_.end();
    } catch (const Error& error) {
      throw Error(error.code(), in_first_line(error.message(), what_is_done()), error.hint());
    }
  }

 private:
  std::string what_is_done() {
    try {
      commits_.end();
    } catch (const Error&) {  // the connection is lost: the answers stay held
    }
    std::string text = counted(done_ - commits_.held());
    if (commits_.held() > 0) {
      text += fmt::format("; the last {} may be done or not: see coppice history", commits_.held());
    }
    return text;
  }

  EngineContext& context_;
  const SqlParameters& parameters_;
  GroupCommit commits_;
  bool follows_short_write_ = false;
  std::size_t done_ = 0;
};

}  // namespace

void run_script(EngineContext& context, std::string_view script, const SqlParameters& parameters,
                ResultSink& sink) {
  std::vector<std::string> given;
  for (const auto& [name, value] : parameters) given.push_back(name);
  sql::check_parameters(script, given);
  sql::ParseOptions options;
  options.limits.statement_bytes =
      static_cast<std::size_t>(context.config.integer("statement.max_mb")) << 20;
  Script statements(context, parameters, sink);
  // As PostgreSQL does with one message: text that does not parse runs none of it. Scripts too
  // long for that are run as they are read.
  if (script.size() <= kParsedAtOnceBytes || context.in_background) {
    std::vector<sql::Statement> parsed = sql::parse(script, options);
    if (context.in_background) {
      check_background(parsed);
      check_background(parsed[0]);
    }
    for (sql::Statement& statement : parsed) statements.run(statement);
    return statements.end();
  }
  sql::Splitter splitter(script);
  for (auto text = splitter.next(); text; text = splitter.next()) {
    sql::Statement statement = sql::parse(*text, options);
    statements.run(statement);
  }
  statements.end();
}

}  // namespace coppice::engine
