#include "engine/explain_write.h"

#include <fmt/core.h>

#include <memory>

#include "base/text.h"
#include "engine/emit.h"
#include "engine/insert.h"
#include "engine/staged_write.h"
#include "engine/statement_tools.h"
#include "engine/update.h"
#include "engine/upsert.h"
#include "pg/transaction.h"
#include "sql/deparse.h"
#include "sql/read.h"

namespace coppice::engine {
namespace {

using sql::as;

const PgQuery__RangeVar* target_of(const sql::Node* node) {
  if (const auto* insert = as<PgQuery__InsertStmt>(node)) return insert->relation;
  if (const auto* update = as<PgQuery__UpdateStmt>(node)) return update->relation;
  if (const auto* deletion = as<PgQuery__DeleteStmt>(node)) return deletion->relation;
  return nullptr;
}

std::unique_ptr<DirectWrite> make_write(EngineContext& context, const catalog::TableInfo& table,
                                        sql::Statement& inner, const SqlParameters& parameters) {
  const std::string text(inner.text());
  const auto refuse_staged = [&](bool staged) {
    if (!staged) return;
    throw Error(ErrorCode::kUnsupported,
                "this statement is carried out in steps: source rows, media, computed columns, "
                "publishing",
                "EXPLAIN its query instead");
  };
  if (const auto* insert = as<PgQuery__InsertStmt>(inner.node()); insert != nullptr) {
    refuse_staged(!table.views.empty() || is_upsert(*insert) ||
                  insert_needs_staging(context, table, inner));
    return std::make_unique<DirectInsert>(text, parameters);
  }
  if (as<PgQuery__UpdateStmt>(inner.node()) != nullptr) {
    refuse_staged(!table.views.empty() || update_needs_staging(context, table, inner));
    return std::make_unique<DirectUpdate>(text, parameters);
  }
  refuse_staged(!table.views.empty());
  return std::make_unique<DirectDelete>(text, parameters);
}

}  // namespace

void explain_write(EngineContext& context, sql::Statement& statement,
                   const SqlParameters& parameters, ResultSink& sink) {
  auto& explain = *as<PgQuery__ExplainStmt>(statement.node());
  const PgQuery__RangeVar* target = target_of(explain.query);
  if (target == nullptr) {
    throw statement.error(ErrorCode::kUnsupported, -1, "this statement cannot be explained");
  }
  std::string options;
  for (const sql::Option& option : sql::options_in(explain.n_options, explain.options)) {
    if (option.name == "analyze") {
      throw statement.error(ErrorCode::kUnsupported, option.location,
                            "EXPLAIN ANALYZE would change the table", "leave ANALYZE out");
    }
    options += (options.empty() ? "(" : ", ") + option.name;
    if (option.value) options += " " + sql::quote_literal(*option.value);
  }
  if (!options.empty()) options += ")";
  const catalog::TablePointer table = written_table(context, statement, *target);
  sql::Statement inner = sql::parse_statement(sql::deparse(explain.query));
  const std::unique_ptr<DirectWrite> write = make_write(context, *table, inner, parameters);
  write->plan(context, *table);
  const std::string planned(write->planned_text());
  pg::Transaction transaction(context.main);
  // The parameters' values are not needed for a plan; NULL stands for each.
  const std::size_t count = context.main.describe(planned).parameters.size();
  const std::vector<pg::Parameter> values(count);
  emit_result(context, context.main.exec_params("EXPLAIN " + options + " " + planned, values),
              sink);
}

}  // namespace coppice::engine
