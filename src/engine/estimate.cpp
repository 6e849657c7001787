#include "engine/estimate.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>

#include "base/text.h"
#include "engine/alter_table.h"
#include "engine/create_table_as.h"
#include "engine/emit.h"
#include "engine/estimate_figures.h"
#include "engine/materialized_view.h"
#include "engine/quiet_sinks.h"
#include "engine/rehearsal.h"
#include "engine/staged_write.h"
#include "engine/statement_tools.h"
#include "exec/select.h"
#include "sql/classify.h"
#include "sql/deparse.h"
#include "sql/read.h"

namespace coppice::engine {
namespace {

using sql::as;
using sql::StatementKind;

constexpr std::int64_t kMostSampleRows = 100'000;

[[noreturn]] void refuse(const sql::Statement& statement, StatementKind kind) {
  std::string hint =
      "there are estimates of INSERT, UPDATE, CREATE TABLE AS, CREATE MATERIALIZED VIEW and ALTER "
      "TABLE … ADD COLUMN";
  if (kind == StatementKind::kSelect || kind == StatementKind::kValues) {
    hint = "estimate CREATE TABLE … AS with this query: it makes the same calls";
  }
  if (kind == StatementKind::kDelete) {
    hint = "no row gets a value by it; EXPLAIN DELETE … shows how PostgreSQL does it";
  }
  throw statement.error(ErrorCode::kUnsupported, 0,
                        fmt::format("{} cannot be estimated", sql::kind_name(kind)), hint);
}

void check_alteration(const sql::Statement& statement) {
  const auto& alter = *as<PgQuery__AlterTableStmt>(statement.node());
  const auto* command = alter.n_cmds == 1 ? as<PgQuery__AlterTableCmd>(alter.cmds[0]) : nullptr;
  if (command != nullptr && (command->subtype == PG_QUERY__ALTER_TABLE_TYPE__AT_AddColumn ||
                             command->subtype == PG_QUERY__ALTER_TABLE_TYPE__AT_AlterColumnType)) {
    return;
  }
  throw statement.error(
      ErrorCode::kUnsupported, 0, "this ALTER TABLE cannot be estimated",
      "estimate one ADD COLUMN or ALTER COLUMN … TYPE at a time; other changes give no row "
      "another value");
}

void rehearse(EngineContext& context, sql::Statement& statement, ResultSink& sink) {
  const StatementKind kind = sql::require_supported(statement);
  switch (kind) {
    case StatementKind::kInsert: {
      const auto& insert = *as<PgQuery__InsertStmt>(statement.node());
      const auto table = written_table(context, statement, *insert.relation);
      return run_staged_insert(context, *table, statement, {}, sink);
    }
    case StatementKind::kUpdate: {
      const auto& update = *as<PgQuery__UpdateStmt>(statement.node());
      const auto table = written_table(context, statement, *update.relation);
      return run_staged_update(context, *table, statement, {}, sink);
    }
    case StatementKind::kCreateTableAs:
      return create_table_as(context, statement, {}, sink);
    case StatementKind::kCreateMaterializedView:
      return create_materialized_view(context, statement, {}, sink);
    case StatementKind::kAlterTable:
      check_alteration(statement);
      return alter_table(context, statement, sink);
    default:
      refuse(statement, kind);
  }
}

void tell_of_sample(EngineContext& context, const RehearsalFigures& figures, ResultSink& sink) {
  double rows = 0;
  Usage usage;
  bool asks_again = false;
  for (const GroupFigures& group : figures.groups) {
    rows += group.units;
    for (const auto& [function, made] : group.usage) {
      usage += made;
      const UserFunction* const known = context.user_functions.find(function);
      asks_again |= known != nullptr && known->signature.volatility == Volatility::kVolatile;
    }
  }
  std::string text = fmt::format("{:.0f} of {:.0f} rows of {} were run, drawn from all of them",
                                 rows, figures.total_units, figures.unit_table);
  const std::int64_t calls = usage.calls + usage.failures;
  if (calls > 0) {
    text += fmt::format("; {} calls were made and cost {} {}", calls, usage.money.shown(),
                        context.spending().currency());
    text += asks_again ? "; those of VOLATILE functions will be made again"
                       : "; what they gave is kept and will not be asked for again";
  }
  sink.notice(text);
}

void emit(const std::vector<EstimateLine>& lines, ResultSink& sink) {
  RowsOut rows(sink, {{"measure", "text"},
                      {"of", "text"},
                      {"estimate", "numeric"},
                      {"low", "numeric"},
                      {"high", "numeric"},
                      {"unit", "text"}});
  for (const EstimateLine& line : lines) {
    const auto text = [&](const std::optional<double>& value) {
      return value ? std::optional(number_text(*value, line.unit)) : std::nullopt;
    };
    rows.row({line.measure, line.of, text(line.total.estimate), text(line.total.low),
              text(line.total.high), line.unit});
  }
  rows.end();
}

void estimate_statement(EngineContext& context, sql::Statement& statement, std::int64_t sample_rows,
                        ResultSink& sink) {
  if (sample_rows > kMostSampleRows) {
    throw Error(ErrorCode::kUsage, fmt::format("a sample has {} rows at most", kMostSampleRows));
  }
  RehearsalFigures figures;
  {
    Rehearsal rehearsal(context, sample_rows, std::string(statement.text()));
    NoticeSink notices(sink);
    rehearse(context, statement, notices);
    figures = rehearsal.figures();
  }
  if (figures.groups.empty()) return;  // IF NOT EXISTS of what is there: a notice has said so
  tell_of_sample(context, figures, sink);
  emit(estimate_lines(context, figures), sink);
}

// With the values of its parameters.
sql::Statement inner_statement(sql::Statement& explain, const SqlParameters& parameters) {
  exec::substitute_parameters(explain.root(), bind_parameters(explain, parameters),
                              explain.arena());
  return sql::parse_statement(sql::deparse(as<PgQuery__ExplainStmt>(explain.node())->query));
}

}  // namespace

void estimate_text(EngineContext& context, std::string_view text, const SqlParameters& parameters,
                   std::int64_t sample_rows, ResultSink& sink) {
  std::vector<sql::Statement> statements = sql::parse(text, {});
  if (statements.size() != 1) {
    throw Error(ErrorCode::kUsage, fmt::format("one statement is estimated at a time, here are {}",
                                               statements.size()));
  }
  if (as<PgQuery__ExplainStmt>(statements[0].node()) != nullptr) {
    return explain_estimate(context, statements[0], parameters, sink);
  }
  exec::substitute_parameters(statements[0].root(), bind_parameters(statements[0], parameters),
                              statements[0].arena());
  estimate_statement(context, statements[0], sample_rows, sink);
}

bool asks_for_estimate(const sql::Statement& explain) {
  const auto& node = *as<PgQuery__ExplainStmt>(explain.node());
  for (const sql::Option& option : sql::options_in(node.n_options, node.options)) {
    if (option.name == "estimate") return option.value.value_or("true") != "false";
  }
  return false;
}

void explain_estimate(EngineContext& context, sql::Statement& explain,
                      const SqlParameters& parameters, ResultSink& sink) {
  const auto& node = *as<PgQuery__ExplainStmt>(explain.node());
  std::int64_t rows = 0;
  for (const sql::Option& option : sql::options_in(node.n_options, node.options)) {
    if (option.name == "estimate") continue;
    if (option.name != "sample") {
      throw explain.error(ErrorCode::kUsage, option.location,
                          fmt::format("EXPLAIN (ESTIMATE) takes no {}", option.name),
                          "it may have SAMPLE and a number of rows: EXPLAIN (ESTIMATE, SAMPLE 50)");
    }
    const std::string text = option.value.value_or("");
    const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), rows);
    if (failed != std::errc() || end != text.data() + text.size() || rows < 1) {
      throw explain.error(ErrorCode::kUsage, option.location, "SAMPLE takes a number of rows",
                          "for example EXPLAIN (ESTIMATE, SAMPLE 50)");
    }
  }
  sql::Statement inner = inner_statement(explain, parameters);
  estimate_statement(context, inner, rows, sink);
}

}  // namespace coppice::engine
