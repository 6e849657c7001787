#include "engine/staged_returning.h"

#include <fmt/core.h>

#include "base/text.h"
#include "engine/statement_tools.h"
#include "exec/binder.h"
#include "sql/deparse.h"
#include "sql/make.h"
#include "sql/references.h"

namespace coppice::engine {
namespace {

using sql::as;

void refuse_engine_calls(EngineContext& context, const sql::Statement& statement, std::size_t count,
                         sql::Node** items) {
  for (sql::Node* item : sql::nodes(count, items)) {
    if (!exec::mentions_engine_function(item, context.functions)) continue;
    throw statement.error(ErrorCode::kUnsupported, as<PgQuery__ResTarget>(item)->location,
                          "RETURNING cannot call an engine function",
                          "SELECT it afterwards, or keep it in a computed column");
  }
}

// Unknown to the server, as what reads an engine function is: then it is kept as text.
std::vector<std::string> types_of(EngineContext& context, const std::vector<std::string>& along,
                                  const BesideTarget& beside) {
  std::vector<std::string> from;
  for (sql::Node* item : sql::nodes(beside.count, beside.items)) {
    from.push_back(from_item_text(item));
  }
  std::vector<std::string> types;
  try {
    const std::string with = beside.with != nullptr ? with_text(*beside.with) : "";
    const auto described = context.main.describe(
        fmt::format("{}SELECT {} FROM {}", with, join(along, ", "), join(from, ", ")));
    for (const pg::Column& column : described.columns) types.push_back(column.type_name);
  } catch (const pg::ServerError&) {
    types.assign(along.size(), "text");
  }
  return types;
}

}  // namespace

StagedReturning read_returning(EngineContext& context, sql::Statement& statement, WriteScope& scope,
                               const std::string& alias, const BesideTarget& beside,
                               std::size_t& count, sql::Node**& items) {
  StagedReturning returning;
  if (count == 0) return returning;
  refuse_engine_calls(context, statement, count, items);
  scope.write_out_returning(count, items, [&](sql::Node* expression) {
    const std::string name = fmt::format("_along{}", returning.along.size());
    returning.along.push_back(sql::deparse_expression(expression));
    return sql::make::column(statement.arena(), {alias, name});
  });
  std::vector<std::string> parts;
  for (sql::Node* node : sql::nodes(count, items)) {
    const auto* target = as<PgQuery__ResTarget>(node);
    parts.push_back(sql::deparse_expression(target->val) + " AS " +
                    sql::quote_identifier(target->name));
  }
  returning.list = join(parts, ", ");
  if (!returning.along.empty()) returning.types = types_of(context, returning.along, beside);
  return returning;
}

}  // namespace coppice::engine
